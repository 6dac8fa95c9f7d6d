"""Reads the rows of one file from the beginning: one reader a format. Knows nothing of samples or tokens."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from manus.data.media.rows import batch_rows, lean
from manus.data.sources.bounded_text import (
    DEEPEST,
    LARGEST_ROW_BYTES,
    LARGEST_UNPACKED_BYTES,
    Records,
    is_too_deep,
    lines_of,
    too_long,
    whole,
)
from manus.data.sources.compression import is_compressed
from manus.data.sources.texts import open_text, undecodable
from manus.errors import DataError

TOO_DEEP = f"lists and objects stand in each other deeper than {DEEPEST} levels"

BadRow = str
Numbered = tuple[str, dict[str, Any] | BadRow]


def format_of(path: Path) -> str:
    """Return the ending that tells a file's format, with the ending of a compression."""
    return "".join(path.suffixes[-2:]) if is_compressed(path) else path.suffix


def read_jsonl(path: Path, largest_bytes: int = LARGEST_ROW_BYTES) -> Iterator[Numbered]:
    """Yield the objects on the lines of a file; a line that is too long is none."""
    with open_text(path) as stream:
        for number, line in enumerate(lines_of(stream, f"reading {path.name}", largest_bytes), 1):
            if isinstance(line, int):
                yield f"line {number}", too_long(line, largest_bytes)
            elif line.strip():
                yield f"line {number}", undecodable(line) or parsed(line)


def parsed(line: str) -> dict[str, Any] | BadRow:
    """Return the object on a line of JSON, or why there is none."""
    try:
        value = json.loads(line)
    except ValueError as error:
        return f"not valid JSON: {error}"
    except RecursionError:
        return TOO_DEEP
    if line.count("[") + line.count("{") > DEEPEST and is_too_deep(value):
        return TOO_DEEP
    return value if isinstance(value, dict) else f"a JSON {type(value).__name__}, not an object"


def _read_json(path: Path) -> Iterator[Numbered]:
    with open_text(path) as stream:
        text = whole(stream, f"reading {path.name}", LARGEST_UNPACKED_BYTES if is_compressed(path) else None)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield from read_jsonl(path)
        return
    may_be_deep, has_bytes = text.count("[") + text.count("{") > DEEPEST, undecodable(text) is not None
    del text
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        value = lists[0] if len(lists) == 1 and len(value) <= 3 else [value]
    if not isinstance(value, list):
        raise DataError(f"data {path}: holds a JSON {type(value).__name__}, not a list of objects")
    for number, row in enumerate(value, 1):
        yield f"item {number}", _why_no_row(row, may_be_deep, has_bytes) or row


def _why_no_row(row: Any, may_be_deep: bool, has_bytes: bool) -> BadRow | None:
    """Return why an item of a list is no row; None where it is one."""
    if not isinstance(row, dict):
        return f"a JSON {type(row).__name__}, not an object"
    if may_be_deep and is_too_deep(row):
        return TOO_DEEP
    return undecodable(json.dumps(row, ensure_ascii=False)) if has_bytes else None


def _read_table(path: Path) -> Iterator[Numbered]:
    csv.field_size_limit(sys.maxsize)
    with open_text(path) as stream:
        lines = Records(stream, f"reading {path.name}")
        table = csv.DictReader(lines, delimiter="\t" if ".tsv" in path.suffixes else ",")
        if wrong := undecodable("".join(table.fieldnames or ())):
            raise DataError(f"data {path}: the header is {wrong}; save the file as UTF-8")
        for number, row in enumerate(table, 2):
            lines.begin()
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
    with open_text(path) as stream:
        text = whole(stream, f"reading {path.name}", LARGEST_UNPACKED_BYTES if is_compressed(path) else None)
    yield "whole file", undecodable(text) or {"text": text}


READERS: dict[str, Callable[[Path], Iterator[Numbered]]] = {
    ".jsonl": read_jsonl, ".jsonl.gz": read_jsonl, ".jsonl.zst": read_jsonl,
    ".json": _read_json, ".json.gz": _read_json, ".json.zst": _read_json,
    ".csv": _read_table, ".csv.gz": _read_table, ".csv.zst": _read_table, ".tsv": _read_table, ".tsv.gz": _read_table,
    ".parquet": _read_parquet,
    ".txt": _read_text, ".txt.gz": _read_text, ".txt.zst": _read_text, ".log": _read_text, ".md": _read_text,
}  # fmt: skip
