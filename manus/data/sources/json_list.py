"""JSON files with a list of objects, which can only be read whole. Knows nothing of samples or tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from manus.data.bounded_text import is_too_deep
from manus.data.sources.compression import read_whole
from manus.data.sources.jsonl import Jsonl
from manus.data.sources.records import TOO_DEEP, Numbered, may_be_too_deep


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
        may_be_deep = may_be_too_deep(text)
        del text
        if isinstance(value, dict):
            lists = [item for item in value.values() if isinstance(item, list)]
            value = lists[0] if len(lists) == 1 and len(value) <= 3 else [value]
        for number, row in enumerate(value if isinstance(value, list) else [value], 1):
            if not isinstance(row, dict):
                yield f"item {number}", f"a JSON {type(row).__name__}, not an object"
            else:
                yield f"item {number}", TOO_DEEP if may_be_deep and is_too_deep(row) else row

    def by_number(self, path: Path, digest: str, cache: Path, segment_bytes: int | None = None) -> None:
        """There is no way to one item but through all before it."""
