"""Plain texts: one row, or segments of a large one, in order. Knows nothing of samples or tokens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manus.data.sources.compression import plain
from manus.data.sources.indexing import Positions
from manus.data.sources.records import BOM, BadRow, Numbered, Ranges, Record, read_at
from manus.data.sources.texts import HOLDS_NUL, read_whole, refuse_other_encodings, undecodable
from manus.data.tokens.windows import best_cut

SEGMENT_BYTES = 1 << 16
LARGEST_WHOLE_TEXT_BYTES = 4 << 20


class Text:
    """One text a file."""

    is_compressible = True
    expansion = 1

    def __init__(self, *endings: str) -> None:
        self.endings = endings

    def rows(self, path: Path) -> Iterator[Numbered]:
        """Yield the text as one row."""
        text = read_whole(path)
        yield "whole file", undecodable(text) or (HOLDS_NUL if "\0" in text else {"text": text})

    def by_number(self, path: Path, digest: str, cache: Path, segment_bytes: int | None = None) -> Segments:
        """Return the text as a row, or as segments."""
        refuse_other_encodings(path)
        return Segments(plain(path, digest, cache)[0], path.name, segment_bytes)


class Segments:
    """A text as one row or, when it is large, as segments that follow each other without a gap.

    A segment ends where a line does, else between words, else between characters. Where is found by looking
    at the few bytes around its place, so nothing is read before it is needed.
    """

    def __init__(self, path: Path, title: str | None = None, segment_bytes: int | None = None) -> None:
        self.path, self.title = path, title or path.name
        self.file = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self.file).st_size
        self.bytes = segment_bytes or SEGMENT_BYTES
        self.count = (
            1 if self.size <= (segment_bytes or LARGEST_WHOLE_TEXT_BYTES) else -(-self.size // self.bytes)
        )

    def __del__(self) -> None:
        if hasattr(self, "file"):
            os.close(self.file)

    def __len__(self) -> int:
        return self.count

    def bytes_of(self, first: int, last: int) -> int:
        """Return about how much of the file the segments from `first` up to `last` take."""
        return self.size * (last - first) // self.count

    def cut_evenly(self, step: int) -> Ranges:
        """Return ranges of segments that take about `step` bytes each."""
        some = max(1, self.count * step // max(1, self.size))
        return [(a, min(a + some, self.count)) for a in range(0, self.count, some)]

    def ends(self, number: int) -> tuple[bool, bool] | None:
        """Return whether a segment is the first or the last of the text; None where it is all of it."""
        return (number == 0, number == self.count - 1) if self.count > 1 else None

    def read(self, numbers: Positions) -> Iterator[Record]:
        """Yield the segments with ascending numbers as rows with a `text`."""
        for number in numbers.tolist():
            begin, end = self.cut(number), self.cut(number + 1)
            place = "whole file" if self.count == 1 else f"byte {begin:,}"
            text = read_at(self.file, end - begin, begin).removeprefix(BOM if number == 0 else b"")
            try:
                row: dict[str, Any] | BadRow = HOLDS_NUL if b"\0" in text else {"text": text.decode()}
            except UnicodeDecodeError as error:
                row = f"not valid UTF-8: {error.reason} at byte {begin + error.start:,}"
            yield Record(number, f"{self.title} {place}", row)

    def cut(self, number: int) -> int:
        """Return where a segment begins."""
        if number == 0 or number >= self.count:
            return 0 if number == 0 else self.size
        end = number * self.bytes
        begin = end - self.bytes // 2
        return begin + best_cut(read_at(self.file, end - begin, begin))
