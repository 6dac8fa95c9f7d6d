"""Random access to the rows of large files: lines, tables, Parquet, and texts that are cut into segments.

Memory holds a few rows at a time, whatever the size of the file. Knows nothing of samples or tokens.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from manus.data.sources.bounded_text import LARGEST_ROW_BYTES, too_long
from manus.data.sources.compression import is_compressed, plain_copy
from manus.data.sources.formats import BadRow, format_of, parsed
from manus.data.sources.indexing import Index, LineEnds, Positions, TableEnds, index_of
from manus.data.sources.texts import refuse_other_encodings
from manus.data.tokens.windows import best_cut
from manus.errors import DataError

READ_BYTES = 1 << 20
OFFSETS_AT_ONCE = 1 << 14
SEGMENT_BYTES = 1 << 16
LARGEST_WHOLE_TEXT_BYTES = 4 << 20
BOM = b"\xef\xbb\xbf"


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
        """Return how much of the file the rows from `first` up to `last` take."""


class Lines:
    """Rows of a file with an index: one line each, or, in a subclass, one record of a table."""

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
                yield Record(number, self.place(number), f"not valid UTF-8: {error.reason} at byte {error.start}")
                continue
            if text.strip():
                yield Record(number, self.place(number), self.parse(text))

    def place(self, number: int) -> str:
        """Return what to call a row in messages."""
        return f"{self.title} line {number + 1}"

    def parse(self, text: str) -> dict[str, Any] | BadRow:
        """Return the row in a line."""
        return parsed(text)

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
                data = _pread(self.file, size, int(offsets[some[0]]))
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


def _pread(file: int, size: int, offset: int) -> bytes:
    """Read exactly so many bytes, unless the file ends before."""
    data = os.pread(file, size, offset)
    while len(data) < size and (more := os.pread(file, size - len(data), offset + len(data))):
        data += more
    return data


class Table(Lines):
    """Rows of CSV or TSV; the first record names the columns."""

    def __init__(self, path: Path, index: Index, delimiter: str, title: str | None = None) -> None:
        super().__init__(path, index, title)
        csv.field_size_limit(sys.maxsize)
        self.delimiter = delimiter
        header = _pread(self.file, int(index.offsets(1, 1)[0]) if len(index) else 0, 0)
        try:
            self.columns = self._fields(header.removeprefix(BOM).decode())
        except UnicodeDecodeError as error:
            raise DataError(
                f"data {self.title}: the header is not valid UTF-8: {error.reason} at byte {error.start:,}; "
                "save the file as UTF-8"
            ) from None

    def __len__(self) -> int:
        return max(0, len(self.index) - 1)

    def bytes_of(self, first: int, last: int) -> int:
        """Return how much of the file the rows from `first` up to `last` take."""
        return super().bytes_of(first + 1, last + 1)

    def read(self, numbers: Positions) -> Iterator[Record]:
        """Yield the rows with ascending numbers."""
        for number, place, row in super().read(numbers + 1):
            yield Record(number - 1, place, row)

    def place(self, number: int) -> str:
        """Return what to call a row in messages."""
        return f"{self.title} row {number + 1}"

    def parse(self, text: str) -> dict[str, Any] | BadRow:
        """Return the row in a record; empty fields count as missing."""
        fields = self._fields(text)
        if len(fields) != len(self.columns):
            return "has another number of fields than the header"
        return {name: value for name, value in zip(self.columns, fields, strict=True) if value != ""}

    def _fields(self, text: str) -> list[str]:
        unified = text.replace("\r\n", "\n")
        return next(csv.reader(io.StringIO(unified, newline=""), delimiter=self.delimiter), [])


class Spooled(Lines):
    """Rows that were drawn from somewhere else and written down as lines of `[place, row]`."""

    def read(self, numbers: Positions) -> Iterator[Record]:
        """Yield the rows with ascending numbers."""
        for number, data in self._raw(numbers):
            place, row = (self.title, data) if isinstance(data, BadRow) else json.loads(data)
            yield Record(number, place, row)


class ParquetRows:
    """Rows of a Parquet file, read batch by batch from their row group."""

    BATCH_ROWS = 256

    def __init__(self, path: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        self.path = path
        try:
            self.metadata = parquet.read_metadata(path)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"data {path}: not a readable Parquet file: {error}") from None
        groups = range(self.metadata.num_row_groups)
        self.ends = np.cumsum([self.metadata.row_group(group).num_rows for group in groups])

    def __len__(self) -> int:
        return int(self.metadata.num_rows)

    def bytes_of(self, first: int, last: int) -> int:
        """Return about how much of the file the rows from `first` up to `last` take."""
        return self.path.stat().st_size * (last - first) // max(1, len(self))

    def read(self, numbers: Positions) -> Iterator[Record]:
        """Yield the rows with ascending numbers; the rows before them in a row group are read and dropped."""
        import pyarrow
        from pyarrow import parquet

        groups = np.searchsorted(self.ends, numbers, side="right")
        try:
            for group in np.unique(groups).tolist():
                wanted = numbers[groups == group]
                begin = int(self.ends[group]) - self.metadata.row_group(group).num_rows
                with parquet.ParquetFile(self.path, memory_map=False, pre_buffer=False) as file:
                    for batch in file.iter_batches(self.BATCH_ROWS, row_groups=[group], use_threads=False):
                        here = wanted[np.searchsorted(wanted, begin) : np.searchsorted(wanted, begin + len(batch))]
                        for number, row in zip(here.tolist(), batch.take(here - begin).to_pylist(), strict=True):
                            yield Record(number, f"{self.path.name} row {number + 1}", row)
                        begin += len(batch)
                        if begin > wanted[-1]:
                            break
        except pyarrow.ArrowException as error:
            raise DataError(f"data {self.path}: not a readable Parquet file: {error}") from None


class Segments:
    """A text as one row or, when it is large, as segments that follow each other without a gap.

    A segment ends where a line does, else between words, else between characters. Where is found by looking at the few
    bytes around its place, so nothing is read before it is needed.
    """

    def __init__(self, path: Path, title: str | None = None, segment_bytes: int | None = None) -> None:
        self.path, self.title = path, title or path.name
        self.file = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self.file).st_size
        self.bytes = segment_bytes or SEGMENT_BYTES
        self.count = 1 if self.size <= (segment_bytes or LARGEST_WHOLE_TEXT_BYTES) else -(-self.size // self.bytes)

    def __del__(self) -> None:
        if hasattr(self, "file"):
            os.close(self.file)

    def __len__(self) -> int:
        return self.count

    def bytes_of(self, first: int, last: int) -> int:
        """Return about how much of the file the segments from `first` up to `last` take."""
        return self.size * (last - first) // self.count

    def is_end(self, number: int) -> bool:
        """Tell whether the text ends with this segment."""
        return number == self.count - 1

    def read(self, numbers: Positions) -> Iterator[Record]:
        """Yield the segments with ascending numbers as rows with a `text`."""
        for number in numbers.tolist():
            begin, end = self.cut(number), self.cut(number + 1)
            place = "whole file" if self.count == 1 else f"byte {begin:,}"
            text = _pread(self.file, end - begin, begin).removeprefix(BOM if number == 0 else b"")
            try:
                row: dict[str, Any] | BadRow = {"text": text.decode()}
            except UnicodeDecodeError as error:
                row = f"not valid UTF-8: {error.reason} at byte {begin + error.start:,}"
            yield Record(number, f"{self.title} {place}", row)

    def cut(self, number: int) -> int:
        """Return where a segment begins."""
        if number == 0 or number >= self.count:
            return 0 if number == 0 else self.size
        end = number * self.bytes
        begin = end - self.bytes // 2
        return begin + best_cut(_pread(self.file, end - begin, begin))


def records_of(path: Path, digest: str, cache: Path, segment_bytes: int | None = None) -> Records | None:
    """Return random access to a file's rows, or None where its format has none: `.json`, which is read whole.

    Args:
        path: the file.
        digest: of its content, under which its index and, if it is compressed, its plain copy are kept.
        cache: the folder that keeps them.
        segment_bytes: how long the segments of a text are; none: SEGMENT_BYTES, and a text of a few megabytes stays whole.

    Raises:
        DataError: the file cannot be read.
        Interrupted: a signal came.
    """
    kind = format_of(path).split(".")[1]
    plain, own = (plain_copy(path, digest, cache), None) if is_compressed(path) else (path, digest)
    refuse_other_encodings(path)
    if kind == "jsonl":
        return Lines(plain, index_of(plain, f"{digest}.lines", LineEnds, cache, own), path.name)
    if kind in ("csv", "tsv"):
        delimiter = "\t" if kind == "tsv" else ","
        index = index_of(plain, f"{digest}.{kind}", lambda: TableEnds(delimiter), cache, own)
        return Table(plain, index, delimiter, path.name)
    if kind == "parquet":
        return ParquetRows(path)
    return Segments(plain, path.name, segment_bytes) if kind in ("txt", "log", "md") else None


def cut_evenly(records: Records, step: int) -> Sequence[tuple[int, int]]:
    """Return ranges of rows that take about `step` bytes each, or, in Parquet, whole row groups."""
    count = len(records)
    if isinstance(records, ParquetRows):
        ends = [0, *records.ends.tolist()]
        return [(a, b) for a, b in pairwise(ends) if a < b]
    if isinstance(records, Lines):
        offset = 1 if isinstance(records, Table) else 0
        total = records.bytes_of(0, count)
        base = int(records.index.offsets(offset, offset)[0]) if count else 0
        cuts = [records.index.record_at(base + place) - offset for place in range(step, total, step)]
        return [(a, b) for a, b in pairwise([0, *cuts, count]) if a < b]
    rows = max(1, count * step // max(1, records.bytes_of(0, count)))
    return [(a, min(a + rows, count)) for a in range(0, count, rows)]
