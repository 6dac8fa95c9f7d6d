"""CSV and TSV: the first record names the columns. Knows nothing of samples or tokens."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from manus.data.sources.bounded_text import Records as BoundedRecords
from manus.data.sources.compression import plain
from manus.data.sources.indexing import Index, Positions, TableEnds, index_of
from manus.data.sources.records import BOM, BadRow, Lines, Numbered, Record, read_at
from manus.data.sources.texts import HOLDS_NUL, open_text, refuse_other_encodings, undecodable
from manus.errors import DataError

OTHER_NUMBER = "has another number of fields than the header"
BROKEN_QUOTES = 'has a quoted field that does not end where the next begins: write a " within it as ""'


class Table:
    """Records of fields, with a delimiter."""

    is_compressible = True
    expansion = 1

    def __init__(self, ending: str, delimiter: str) -> None:
        self.endings, self.delimiter = (ending,), delimiter

    def rows(self, path: Path) -> Iterator[Numbered]:
        """Yield the records by column, or why one is none; empty fields count as missing."""
        csv.field_size_limit(sys.maxsize)
        with open_text(path) as stream:
            lines = BoundedRecords(stream, f"reading {path.name}")
            seen: list[str] = []
            table = csv.DictReader(_remembered(lines, seen), delimiter=self.delimiter)
            if wrong := undecodable("".join(table.fieldnames or ())):
                raise DataError(f"data {path}: the header is {wrong}; save the file as UTF-8")
            _check_header(table.fieldnames or (), path.name)
            seen.clear()
            for number, row in enumerate(table, 2):
                lines.begin()
                are_broken = quotes_are_broken("".join(seen), self.delimiter)
                seen.clear()
                if are_broken:
                    yield f"row {number}", BROKEN_QUOTES
                elif None in row or None in row.values():
                    yield f"row {number}", OTHER_NUMBER
                elif wrong := undecodable("".join(row.values())) or nul_within(row.values()):
                    yield f"row {number}", wrong
                else:
                    yield f"row {number}", {name: value for name, value in row.items() if value != ""}

    def by_number(self, path: Path, digest: str, cache: Path, segment_bytes: int | None = None) -> TableRows:
        """Return the records by number."""
        refuse_other_encodings(path)
        table, own = plain(path, digest, cache)
        index = index_of(table, f"{digest}{self.endings[0]}", lambda: TableEnds(self.delimiter), cache, own)
        return TableRows(table, index, self.delimiter, path.name)


class TableRows(Lines):
    """Rows of CSV or TSV by number; the first record names the columns."""

    records_before = 1

    def __init__(self, path: Path, index: Index, delimiter: str, title: str | None = None) -> None:
        super().__init__(path, index, title)
        csv.field_size_limit(sys.maxsize)
        self.delimiter = delimiter
        header = read_at(self.file, int(index.offsets(1, 1)[0]) if len(index) else 0, 0)
        try:
            self.columns = self._fields(header.removeprefix(BOM).decode())
        except UnicodeDecodeError as error:
            raise DataError(
                f"data {self.title}: the header is not valid UTF-8: {error.reason} at byte {error.start:,}; "
                "save the file as UTF-8"
            ) from None
        _check_header(self.columns, self.title)

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
        if quotes_are_broken(text, self.delimiter):
            return BROKEN_QUOTES
        fields = self._fields(text)
        if len(fields) != len(self.columns):
            return OTHER_NUMBER
        if found := nul_within(fields):
            return found
        return {name: value for name, value in zip(self.columns, fields, strict=True) if value != ""}

    def _fields(self, text: str) -> list[str]:
        unified = text.replace("\r\n", "\n")
        return next(csv.reader(io.StringIO(unified, newline=""), delimiter=self.delimiter), [])


def _remembered(lines: Iterable[str], seen: list[str]) -> Iterator[str]:
    """Yield lines, each of which is added to those that were seen."""
    for line in lines:
        seen.append(line)
        yield line


def quotes_are_broken(record: str, delimiter: str) -> bool:
    """Return whether a record's quotes are none that Python's reader understands, of which it makes something.

    It takes `"a \\"b\\""` (MySQL's way) for `a \\b\\""`, a field that begins with a quoted word for one without
    the quotes, and all that follows an open quote for a field.
    """
    if '"' not in record:
        return False
    try:
        for _ in csv.reader(io.StringIO(record, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error:
        return True
    return False


def nul_within(fields: Iterable[str]) -> str | None:
    """Return why a record is none that holds a byte of zero; JSON refuses it by itself."""
    return HOLDS_NUL if any("\0" in field for field in fields) else None


def _check_header(names: Sequence[str], title: str) -> None:
    """See to it that the columns of a table can be told apart.

    Raises:
        DataError: two have one name.
    """
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(
            f"data {title}: two columns are called {twice!r} in the header; give each a name of its own"
        )
