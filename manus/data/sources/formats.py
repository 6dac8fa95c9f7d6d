"""Reads the rows of one file from the beginning: one reader a format. Knows nothing of samples or tokens."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from manus.data.media.rows import batch_rows, lean
from manus.data.sources.compression import is_compressed
from manus.data.sources.rows import KEEPING_BYTES, _open_bytes, read_jsonl, refuse_other_encodings, undecodable
from manus.errors import DataError

BadRow = str
Numbered = tuple[str, dict[str, Any] | BadRow]


def format_of(path: Path) -> str:
    """Return the ending that tells a file's format, with the ending of a compression."""
    return "".join(path.suffixes[-2:]) if is_compressed(path) else path.suffix


def _open(path: Path) -> IO[str]:
    """Open a text; a byte in it that is not UTF-8 stays one (`undecodable`), so that only its row is bad."""
    if is_compressed(path):
        refuse_other_encodings(path)
    return io.TextIOWrapper(_open_bytes(path), encoding="utf-8-sig", errors=KEEPING_BYTES)


def parsed(line: str) -> dict[str, Any] | BadRow:
    """Return the object on a line of JSON, or why there is none."""
    try:
        value = json.loads(line)
    except ValueError as error:
        return f"not valid JSON: {error}"
    except RecursionError:
        return "not valid JSON: nested too deeply"
    return value if isinstance(value, dict) else f"a JSON {type(value).__name__}, not an object"


def _read_json(path: Path) -> Iterator[Numbered]:
    with _open(path) as stream:
        text = stream.read()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield from read_jsonl(path)
        return
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        value = lists[0] if len(lists) == 1 and len(value) <= 3 else [value]
    if not isinstance(value, list):
        raise DataError(f"data {path}: holds a JSON {type(value).__name__}, not a list of objects")
    has_bytes = undecodable(text) is not None
    for number, row in enumerate(value, 1):
        wrong = undecodable(json.dumps(row, ensure_ascii=False)) if has_bytes else None
        yield (
            f"item {number}",
            wrong or (row if isinstance(row, dict) else f"a JSON {type(row).__name__}, not an object"),
        )


def _read_table(path: Path) -> Iterator[Numbered]:
    csv.field_size_limit(sys.maxsize)
    with _open(path) as stream:
        table = csv.DictReader(stream, delimiter="\t" if ".tsv" in path.suffixes else ",")
        if wrong := undecodable("".join(table.fieldnames or ())):
            raise DataError(f"data {path}: the header is {wrong}; save the file as UTF-8")
        for number, row in enumerate(table, 2):
            if None in row or None in row.values():
                yield f"row {number}", "has another number of fields than the header"
            elif wrong := undecodable("".join(row.values())):
                yield f"row {number}", wrong
            else:
                yield f"row {number}", {name: value for name, value in row.items() if value != ""}


def _read_parquet(path: Path) -> Iterator[Numbered]:
    import pyarrow
    from pyarrow import parquet

    try:
        number = 0
        with parquet.ParquetFile(path, **lean(parquet.read_metadata(path))) as file:
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(batch_rows(file.metadata), row_groups=[group]):
                    for row in batch.to_pylist():
                        number += 1
                        yield f"row {number}", row
    except pyarrow.ArrowException as error:
        raise DataError(f"data {path}: not a readable Parquet file: {error}") from None


def _read_text(path: Path) -> Iterator[Numbered]:
    with _open(path) as stream:
        text = stream.read()
    yield "whole file", undecodable(text) or {"text": text}


READERS: dict[str, Callable[[Path], Iterator[Numbered]]] = {
    ".jsonl": read_jsonl, ".jsonl.gz": read_jsonl, ".jsonl.zst": read_jsonl,
    ".json": _read_json, ".json.gz": _read_json, ".json.zst": _read_json,
    ".csv": _read_table, ".csv.gz": _read_table, ".csv.zst": _read_table, ".tsv": _read_table, ".tsv.gz": _read_table,
    ".parquet": _read_parquet,
    ".txt": _read_text, ".txt.gz": _read_text, ".txt.zst": _read_text, ".log": _read_text, ".md": _read_text,
}  # fmt: skip
