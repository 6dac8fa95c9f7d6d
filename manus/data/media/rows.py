"""Tells what of rows is media, where that decides how rows are read. Decodes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from manus.data.media.references import kind_of_file

METADATA = "metadata"
BATCH_BYTES = 16 << 20
MOST_BATCH_ROWS = 1024


def metadata_of(entries: Iterable[Path]) -> list[Path]:
    """Return the metadata files among the files of a folder of media, as `datasets` has them; empty if it is none."""
    found = list(entries)
    metadata = [entry for entry in found if entry.name.split(".")[0] == METADATA]
    is_media_folder = metadata and any(kind_of_file(entry.name) for entry in found)
    return metadata if is_media_folder else []


def batch_rows(metadata: Any) -> int:
    """Return how many rows of a Parquet file to read at once: fewer where rows hold media."""
    largest = max((group.total_byte_size // max(1, group.num_rows) for group in _groups(metadata)), default=0)
    return int(min(MOST_BATCH_ROWS, max(1, BATCH_BYTES // max(1, largest))))


def bytes_without_media(path: Path) -> int:
    """Return how many bytes of a Parquet file's rows are not raw bytes."""
    from pyarrow import parquet

    metadata = parquet.read_metadata(path)
    columns = (group.column(index) for group in _groups(metadata) for index in range(metadata.num_columns))
    return sum(
        column.total_uncompressed_size
        for column in columns
        if not (column.path_in_schema.split(".")[-1] == "bytes" or _is_raw(metadata, column.path_in_schema))
    )


def _is_raw(metadata: Any, path: str) -> bool:
    schema = metadata.schema
    found = next(schema.column(i) for i in range(len(schema)) if schema.column(i).path == path)
    return found.physical_type == "BYTE_ARRAY" and str(found.logical_type) == "None"


def _groups(metadata: Any) -> Iterable[Any]:
    return (metadata.row_group(index) for index in range(metadata.num_row_groups))
