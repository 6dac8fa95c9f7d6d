"""JSON lines: an object each. Knows nothing of samples or tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manus.data.bounded_text import lines_of, too_long
from manus.data.sources.compression import open_text, plain
from manus.data.sources.indexing import LineEnds, index_of
from manus.data.sources.records import Lines, Numbered, parsed


class Jsonl:
    """One JSON object a line."""

    endings = (".jsonl",)
    is_compressible = True
    expansion = 1

    def rows(self, path: Path) -> Iterator[Numbered]:
        """Yield the objects, or why a line is none; blank lines are left out."""
        with open_text(path) as stream:
            for number, line in enumerate(lines_of(stream, f"reading {path.name}"), 1):
                if isinstance(line, int):
                    yield f"line {number}", too_long(line)
                elif line.strip():
                    yield f"line {number}", parsed(line)

    def by_number(self, path: Path, digest: str, cache: Path, segment_bytes: int | None = None) -> Lines:
        """Return the lines by number."""
        lines, own = plain(path, digest, cache)
        return Lines(lines, index_of(lines, f"{digest}.lines", LineEnds, cache, own), path.name)
