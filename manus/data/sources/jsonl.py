"""JSON lines: an object each. Knows nothing of samples or tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manus.data.sources.bounded_text import lines_of, too_long
from manus.data.sources.compression import plain
from manus.data.sources.indexing import LineEnds, index_of
from manus.data.sources.records import Lines, Numbered, parsed
from manus.data.sources.texts import open_text, refuse_other_encodings, undecodable


class Jsonl:
    """One JSON object a line."""

    endings = (".jsonl",)
    is_compressible = True
    expansion = 1

    def rows(self, path: Path, largest_bytes: int | None = None) -> Iterator[Numbered]:
        """Yield the objects, or why a line is none, such as that it is too long; blank lines are left out."""
        with open_text(path) as stream:
            for number, line in enumerate(lines_of(stream, f"reading {path.name}", largest_bytes), 1):
                if isinstance(line, int):
                    yield f"line {number}", too_long(line, largest_bytes)
                elif line.strip():
                    yield f"line {number}", undecodable(line) or parsed(line)

    def by_number(self, path: Path, digest: str, cache: Path, segment_bytes: int | None = None) -> Lines:
        """Return the lines by number."""
        refuse_other_encodings(path)
        lines, own = plain(path, digest, cache)
        return Lines(lines, index_of(lines, f"{digest}.lines", LineEnds, cache, own), path.name)
