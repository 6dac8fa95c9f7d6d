"""Reads the rows of one file from the beginning: one reader a format. Knows nothing of samples or tokens."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from manus.data.bounded_text import DEEPEST, LARGEST_UNPACKED_BYTES, Records, is_too_deep, lines_of, too_long, whole
from manus.data.media.rows import batch_rows, lean
from manus.data.sources.compression import is_compressed, open_compressed
from manus.data.sources.rows import TOO_DEEP
from manus.errors import DataError

BadRow = str
Numbered = tuple[str, dict[str, Any] | BadRow]


def format_of(path: Path) -> str:
    """Return the ending that tells a file's format, with the ending of a compression."""
    return "".join(path.suffixes[-2:]) if is_compressed(path) else path.suffix


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="strict")
    if path.suffix == ".zst":
        return io.TextIOWrapper(open_compressed(path.open("rb"), path), encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _read_jsonl(path: Path) -> Iterator[Numbered]:
    with _open(path) as stream:
        for number, line in enumerate(lines_of(stream, f"reading {path.name}"), 1):
            if isinstance(line, int):
                yield f"line {number}", too_long(line)
            elif line.strip():
                yield f"line {number}", parsed(line)


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
    with _open(path) as stream:
        text = whole(stream, f"reading {path.name}", LARGEST_UNPACKED_BYTES if is_compressed(path) else None)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield from _read_jsonl(path)
        return
    may_be_deep = text.count("[") + text.count("{") > DEEPEST
    del text
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        value = lists[0] if len(lists) == 1 and len(value) <= 3 else [value]
    for number, row in enumerate(value if isinstance(value, list) else [value], 1):
        if not isinstance(row, dict):
            yield f"item {number}", f"a JSON {type(row).__name__}, not an object"
        else:
            yield f"item {number}", TOO_DEEP if may_be_deep and is_too_deep(row) else row


def _read_table(path: Path) -> Iterator[Numbered]:
    csv.field_size_limit(sys.maxsize)
    with _open(path) as stream:
        lines = Records(stream, f"reading {path.name}")
        for number, row in enumerate(csv.DictReader(lines, delimiter="\t" if ".tsv" in path.suffixes else ","), 2):
            lines.begin()
            if None in row or None in row.values():
                yield f"row {number}", "has another number of fields than the header"
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
        text = whole(stream, f"reading {path.name}", LARGEST_UNPACKED_BYTES if is_compressed(path) else None)
    yield "whole file", {"text": text}


READERS: dict[str, Callable[[Path], Iterator[Numbered]]] = {
    ".jsonl": _read_jsonl, ".jsonl.gz": _read_jsonl, ".jsonl.zst": _read_jsonl,
    ".json": _read_json, ".json.gz": _read_json, ".json.zst": _read_json,
    ".csv": _read_table, ".csv.gz": _read_table, ".csv.zst": _read_table, ".tsv": _read_table, ".tsv.gz": _read_table,
    ".parquet": _read_parquet,
    ".txt": _read_text, ".txt.gz": _read_text, ".txt.zst": _read_text, ".log": _read_text, ".md": _read_text,
}  # fmt: skip
