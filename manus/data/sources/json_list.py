"""JSON files with a list of objects, which can only be read whole. Knows nothing of samples or tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manus.data.sources.bounded_text import is_too_deep
from manus.data.sources.jsonl import Jsonl
from manus.data.sources.records import TOO_DEEP, BadRow, Numbered, may_be_too_deep
from manus.data.sources.texts import read_whole, undecodable
from manus.errors import DataError


class Json:
    """A list of objects, alone or as the only list in an object; or lines of them after all."""

    endings = (".json",)
    is_compressible = True
    expansion = 1

    def rows(self, path: Path) -> Iterator[Numbered]:
        """Yield the objects, or why an item is none."""
        text = read_whole(path)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            yield from Jsonl().rows(path)
            return
        may_be_deep, has_bytes = may_be_too_deep(text), undecodable(text) is not None
        del text
        if isinstance(value, dict):
            lists = [item for item in value.values() if isinstance(item, list)]
            value = lists[0] if len(lists) == 1 and len(value) <= 3 else [value]
        if not isinstance(value, list):
            raise DataError(f"data {path}: holds a JSON {type(value).__name__}, not a list of objects")
        for number, row in enumerate(value, 1):
            yield f"item {number}", _why_no_row(row, may_be_deep, has_bytes) or row

    def by_number(self, path: Path, digest: str, cache: Path, segment_bytes: int | None = None) -> None:
        """There is no way to one item but through all before it."""


def _why_no_row(row: Any, may_be_deep: bool, has_bytes: bool) -> BadRow | None:
    """Return why an item of a list is no row; None where it is one."""
    if not isinstance(row, dict):
        return f"a JSON {type(row).__name__}, not an object"
    if may_be_deep and is_too_deep(row):
        return TOO_DEEP
    return undecodable(json.dumps(row, ensure_ascii=False)) if has_bytes else None
