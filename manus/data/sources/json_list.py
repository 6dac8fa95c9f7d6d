"""JSON files with a list of objects, which can only be read whole. Knows nothing of samples or tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from manus.data.sources.compression import open_text
from manus.data.sources.jsonl import Jsonl
from manus.data.sources.records import Numbered


class Json:
    """A list of objects, alone or as the only list in an object; or lines of them after all."""

    endings = (".json",)
    is_compressible = True
    expansion = 1

    def rows(self, path: Path) -> Iterator[Numbered]:
        """Yield the objects, or why an item is none."""
        with open_text(path) as stream:
            text = stream.read()
        try:
            value = json.loads(text)
        except ValueError:
            yield from Jsonl().rows(path)
            return
        if isinstance(value, dict):
            lists = [item for item in value.values() if isinstance(item, list)]
            value = lists[0] if len(lists) == 1 and len(value) <= 3 else [value]
        for number, row in enumerate(value, 1):
            yield f"item {number}", row if isinstance(row, dict) else f"a JSON {type(row).__name__}, not an object"

    def by_number(self, path: Path, digest: str, cache: Path, segment_bytes: int | None = None) -> None:
        """There is no way to one item but through all before it."""
