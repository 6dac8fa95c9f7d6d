"""Tells what of rows is media, where that decides how rows are read. Decodes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from manus.data.media.references import kind_of_file

METADATA = "metadata"
BATCH_BYTES = 4 << 20
BUFFER_BYTES = 1 << 20
MOST_BATCH_ROWS = 1024


def metadata_of(entries: Iterable[Path]) -> list[Path]:
    """Return the metadata files of a folder of media, as `datasets` has them; empty if it is none."""
    found = list(entries)
    metadata = [entry for entry in found if entry.name.split(".")[0] == METADATA]
    is_media_folder = metadata and any(kind_of_file(entry.name) for entry in found)
    return metadata if is_media_folder else []


def batch_rows(metadata: Any) -> int:
    """Return how many rows of a Parquet file to read at once: fewer where rows hold media."""
    largest = max((group.total_byte_size // max(1, group.num_rows) for group in _groups(metadata)), default=0)
    return int(min(MOST_BATCH_ROWS, max(1, BATCH_BYTES // max(1, largest))))


def lean(metadata: Any) -> dict[str, Any]:
    """Return how to open a Parquet file: if rows hold media, with at most two row groups' size in memory."""
    holds_media = batch_rows(metadata) < MOST_BATCH_ROWS
    return {"buffer_size": BUFFER_BYTES, "pre_buffer": False} if holds_media else {}


def bytes_without_media(path: Path) -> int:
    """Return how many bytes of a Parquet file's rows are not raw bytes."""
    from pyarrow import parquet

    metadata = parquet.read_metadata(path)
    counted = set(columns_without_media(metadata))
    columns = (group.column(index) for group in _groups(metadata) for index in range(metadata.num_columns))
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema in counted)


def columns_without_media(metadata: Any) -> list[str]:
    """Return the columns of a Parquet file that are not raw bytes, by their paths."""
    columns = (metadata.schema.column(index) for index in range(metadata.num_columns))
    return [
        one.path
        for one in columns
        if one.physical_type != "BYTE_ARRAY" or str(one.logical_type.type) != "NONE"
    ]


def _groups(metadata: Any) -> Iterable[Any]:
    return (metadata.row_group(index) for index in range(metadata.num_row_groups))
