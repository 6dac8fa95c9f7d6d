"""JSON files with a list of objects, which can only be read whole. Knows nothing of samples or tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manus.data.sources.bounded_text import is_too_deep
from manus.data.sources.compression import is_compressed
from manus.data.sources.jsonl import Jsonl
from manus.data.sources.records import TOO_DEEP, BadRow, Numbered, may_be_too_deep
from manus.data.sources.texts import read_whole, undecodable
from manus.data.strict_json import Doubled, doubled_within, loads_with_doubled
from manus.errors import DataError

# Lists of objects that one row may hold: an object with one of them is a row, not a list of rows.
PARTS_OF_ROWS = frozenset(
    [
        "messages", "conversations", "conversation", "chat", "contents", "prompt", "completion", "chosen",
        "rejected", "history", "tools", "functions", "answers", "choices", "options", "objects", "images",
        "videos", "audios", "texts",
    ]
)  # fmt: skip


LARGEST_LIST_BYTES = 1_000_000_000  # of a plain file: as values it takes several times as much memory


class Json:
    """A list of objects, alone or as an object's only list; one object, a row; or lines of them after all."""

    endings = (".json",)
    is_compressible = True
    expansion = 1

    def rows(self, path: Path) -> Iterator[Numbered]:
        """Yield the objects, or why an item is none."""
        if not is_compressed(path) and path.stat().st_size > LARGEST_LIST_BYTES:
            yield from _only_lines(path)
            return
        text = read_whole(path)
        try:
            value, is_doubled = loads_with_doubled(text)
        except (ValueError, RecursionError):
            yield from Jsonl().rows(path)
            return
        may_be_deep, has_bytes = may_be_too_deep(text), undecodable(text) is not None
        del text
        if isinstance(value, Doubled):  # which of its lists are rows is not known
            raise DataError(f"data {path}: {value.problem}")
        if isinstance(value, dict):
            value = _rows_of_object(value, path)
        if not isinstance(value, list):
            raise DataError(f"data {path}: holds a JSON {type(value).__name__}, not a list of objects")
        for number, row in enumerate(value, 1):
            problem = doubled_within(row) if is_doubled else None
            yield f"item {number}", problem or _why_no_row(row, may_be_deep, has_bytes) or row

    def by_number(self, path: Path, digest: str, cache: Path, segment_bytes: int | None = None) -> None:
        """There is no way to one item but through all before it."""


def _only_lines(path: Path) -> Iterator[Numbered]:
    """Yield the rows of a large file, if it holds lines of them: those are read one by one.

    Raises:
        DataError: it is one list or object.
    """
    first = next(iter(Jsonl().rows(path)), None)
    if first is None or not isinstance(first[1], dict):
        raise DataError(
            f"data {path}: {path.stat().st_size / 1e9:.1f} GB in one JSON value, which can only be read whole, and that is "
            f"done up to {LARGEST_LIST_BYTES / 1e9:.1f} GB; write one object a line, as .jsonl"
        )
    yield from Jsonl().rows(path)


def _rows_of_object(value: dict[str, Any], path: Path) -> list[Any]:
    """Return the rows in an object: its only list of objects, if that is no part of a row; else one, itself.

    Raises:
        DataError: it holds columns instead of rows.
    """
    lists = {name: item for name, item in value.items() if isinstance(item, list)}
    are_columns = len(lists) == len(value) > 1 and len({len(item) for item in lists.values()}) == 1
    if are_columns and not any(isinstance(one, dict) for item in lists.values() for one in item):
        raise DataError(f"data {path}: an object of columns, not a list of rows; write one object a line")
    rows = next(iter(lists.values()), [])
    are_rows = (
        bool(rows) and all(isinstance(item, dict) for item in rows) and not lists.keys() & PARTS_OF_ROWS
    )
    return rows if len(lists) == 1 and len(value) <= 3 and are_rows else [value]


def _why_no_row(row: Any, may_be_deep: bool, has_bytes: bool) -> BadRow | None:
    """Return why an item of a list is no row; None where it is one."""
    if not isinstance(row, dict):
        return f"a JSON {type(row).__name__}, not an object"
    if may_be_deep and is_too_deep(row):
        return TOO_DEEP
    return undecodable(json.dumps(row, ensure_ascii=False)) if has_bytes else None
