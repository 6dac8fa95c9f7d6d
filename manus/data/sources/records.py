"""Random access to rows in bounded memory: what every format gives, and lines with an index.

Memory holds a few rows at a time, whatever the size of the file. Knows nothing of samples or tokens.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from manus.data.sources.bounded_text import DEEPEST, LARGEST_ROW_BYTES, is_too_deep, too_long
from manus.data.sources.cache import cached
from manus.data.sources.indexing import Index, LineEnds, Positions, index_of
from manus.data.strict_json import RepeatedKey, loads
from manus.guards.run import RUN

READ_BYTES = 1 << 20
OFFSETS_AT_ONCE = 1 << 14
TOO_DEEP = f"lists and objects stand in each other deeper than {DEEPEST} levels"
BOM = b"\xef\xbb\xbf"
BYTES_KEY = "base64 bytes"  # how bytes are written down as JSON

BadRow = str
Numbered = tuple[str, dict[str, Any] | BadRow]  # where a row stands, and the row or why it is none
Ranges = list[tuple[int, int]]


class Record(NamedTuple):
    """A row, or why it is none, with its number and the place to show."""

    number: int
    place: str
    row: dict[str, Any] | BadRow


class Records(Protocol):
    """The rows of one file, by number. Safe to use in processes that were forked."""

    path: Path

    def __len__(self) -> int:
        """Return how many there are; blank ones count."""

    def read(self, numbers: Positions) -> Iterator[Record]:
        """Yield the rows with ascending numbers; blank ones are left out."""

    def bytes_of(self, first: int, last: int) -> int:
        """Return about how much of the file the rows from `first` up to `last` take."""

    def cut_evenly(self, step: int) -> Ranges:
        """Return ranges of rows that take about `step` bytes each."""

    def ends(self, number: int) -> tuple[bool, bool] | None:
        """Return whether a row is the first or last part of a longer text; None: it is a whole."""


def may_be_too_deep(text: str) -> bool:
    """Tell whether lists and objects may stand in each other too deeply in a text of JSON."""
    return text.count("[") + text.count("{") > DEEPEST


def parsed(line: str) -> dict[str, Any] | BadRow:
    """Return the object on a line of JSON, or why there is none."""
    try:
        value = loads(line)
    except RepeatedKey as error:
        return str(error)
    except ValueError as error:
        return f"not valid JSON: {error}"
    except RecursionError:
        return TOO_DEEP
    if may_be_too_deep(line) and is_too_deep(value):
        return TOO_DEEP
    return value if isinstance(value, dict) else f"a JSON {type(value).__name__}, not an object"


class Lines:
    """Rows of a file with an index: one line each, or, in a subclass, one record of a table."""

    records_before = 0  # that are in the index and are no rows

    def __init__(self, path: Path, index: Index, title: str | None = None) -> None:
        self.path, self.index = path, index
        self.title = title or path.name
        self.file = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "file"):
            os.close(self.file)

    def __len__(self) -> int:
        return len(self.index)

    def bytes_of(self, first: int, last: int) -> int:
        """Return how much of the file the rows from `first` up to `last` take."""
        return int(self.index.offsets(last, last)[0] - self.index.offsets(first, first)[0])

    def read(self, numbers: Positions) -> Iterator[Record]:
        """Yield the rows with ascending numbers; neighbours are read together."""
        for number, data in self._raw(numbers):
            if isinstance(data, BadRow):
                yield Record(number, self.place(number), data)
                continue
            try:
                text = data.removeprefix(BOM if number == 0 else b"").decode()
            except UnicodeDecodeError as error:
                yield Record(
                    number, self.place(number), f"not valid UTF-8: {error.reason} at byte {error.start}"
                )
                continue
            if text.strip():
                yield Record(number, self.place(number), self.parse(text))

    def place(self, number: int) -> str:
        """Return what to call a row in messages."""
        return f"{self.title} line {number + 1}"

    def parse(self, text: str) -> dict[str, Any] | BadRow:
        """Return the row in a line."""
        return parsed(text)

    def cut_evenly(self, step: int) -> Ranges:
        """Return ranges of rows that take about `step` bytes each."""
        count, before = len(self), self.records_before
        base = int(self.index.offsets(before, before)[0]) if count else 0
        cuts = [
            self.index.record_at(base + place) - before
            for place in range(step, self.bytes_of(0, count), step)
        ]
        return [(a, b) for a, b in pairwise([0, *cuts, count]) if a < b]

    def ends(self, number: int) -> None:
        """Rows are no parts of a longer text."""

    def _raw(self, numbers: Positions) -> Iterator[tuple[int, bytes | BadRow]]:
        begin = 0
        while begin < len(numbers):
            first = int(numbers[begin])
            end = begin + int(np.searchsorted(numbers[begin:], first + OFFSETS_AT_ONCE))
            chosen = numbers[begin:end] - first
            offsets = self.index.offsets(first, int(numbers[end - 1]) + 1)
            for some in _neighbours(chosen, offsets):
                size = int(offsets[some[-1] + 1] - offsets[some[0]])
                if len(some) == 1 and size > LARGEST_ROW_BYTES:
                    yield first + int(some[0]), too_long(size)
                    continue
                data = read_at(self.file, size, int(offsets[some[0]]))
                for number in some.tolist():
                    a, b = offsets[number] - offsets[some[0]], offsets[number + 1] - offsets[some[0]]
                    yield first + number, data[a:b]
            begin = end


def _neighbours(chosen: Positions, offsets: Positions) -> Iterator[Positions]:
    """Yield runs of rows that follow each other and take at most READ_BYTES, or one row."""
    breaks = np.flatnonzero(np.diff(chosen) != 1) + 1
    for run in np.split(chosen, breaks):
        begin = 0
        while begin < len(run):
            limit = offsets[run[begin]] + READ_BYTES
            end = begin + max(1, int(np.searchsorted(offsets[run[begin:] + 1], limit, side="right")))
            yield run[begin:end]
            begin = end


def read_at(file: int, size: int, offset: int) -> bytes:
    """Read exactly so many bytes, unless the file ends before."""
    data = os.pread(file, size, offset)
    while len(data) < size and (more := os.pread(file, size - len(data), offset + len(data))):
        data += more
    return data


class Spooled(Lines):
    """Rows that were drawn from somewhere else and written down as lines of `[place, row]`."""

    def read(self, numbers: Positions) -> Iterator[Record]:
        """Yield the rows with ascending numbers."""
        for number, data in self._raw(numbers):
            place, row = (
                (self.title, data) if isinstance(data, BadRow) else json.loads(data, object_hook=as_bytes)
            )
            yield Record(number, place, row)


def spool(drawn: Iterable[tuple[str, object]], path: Path) -> Spooled:
    """Write rows down, once, so that they can be read again and from the middle.

    Raises:
        Interrupted: a signal came.
    """

    def build(target: Path) -> None:
        with target.open(
            "w", encoding="utf-8", errors="backslashreplace"
        ) as stream:  # half a character: its escape
            for place, row in drawn:
                RUN.cross("reading data")
                stream.write(json.dumps([place, row], ensure_ascii=False, default=as_json) + "\n")

    return spooled_at(cached(path, build))


def spooled_at(path: Path) -> Spooled:
    """Return the rows in a file that was written down so."""
    return Spooled(path, index_of(path, path.stem, LineEnds, path.parent))


def as_json(value: Any) -> Any:
    """Return what stands for a value that JSON has not."""
    return {BYTES_KEY: base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)


def as_bytes(value: dict[str, Any]) -> Any:
    """Return the bytes that an object stands for, else the object."""
    return base64.b64decode(value[BYTES_KEY]) if value.keys() == {BYTES_KEY} else value
