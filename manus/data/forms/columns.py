"""Remembers which columns of a row were read, so that the others can be named. Knows no shape of rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from manus.data.sample import Row, Sample

# What only says which row it is: declared unused by every form.
IDENTIFYING = frozenset(
    [
        "id", "_id", "idx", "index", "uuid", "guid", "row_id", "sample_id", "example_id", "question_id",
        "conversation_id", "prompt_id", "message_id", "image_id", "video_id", "audio_id", "speaker_id",
        "chapter_id", "__index_level_0__", "", "Unnamed: 0",
    ]
)  # fmt: skip
MOST_COLUMNS = 200  # of a source, that are counted one by one
OTHERS = "other columns"

# What programs write where there is nothing, as pandas and Python's str() do.
_NOTHING = frozenset(["nan", "NaN", "None", "null", "NULL", "N/A", "n/a"])

Unread = dict[str, Counter[str]]  # by source: how many rows have something in a column that nothing reads


class Columns(Mapping[str, Any]):
    """A row that remembers what was taken of it.

    `get` and `[]` only look, as where a shape is recognised; `take` says that a column goes into the sample.
    Rows that are derived from it remember together with it, each column that they hand on as it is.
    """

    def __init__(self, row: Row) -> None:
        self._row = self._whole = row
        self._taken, self._notes = set[str](), set[str]()

    @classmethod
    def of(cls, row: Row) -> Columns:
        """Return a row as one that remembers; one that does already is itself."""
        return row if isinstance(row, Columns) else cls(row)

    def __getitem__(self, name: str) -> Any:
        return self._row[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)

    def take(self, name: str) -> Any:
        """Return what stands in a column, None where there is none, and remember that it is read."""
        value = self._row.get(name)
        if self._whole.get(name) is value:
            self._taken.add(name)
        return value

    def take_all(self, names: Iterable[str]) -> None:
        """Remember that columns are read, or that nothing is lost with them."""
        for name in names:
            self.take(name)

    def note(self, part: str) -> None:
        """Remember a part of a column that nothing reads, by its name."""
        self._notes.add(part)

    def derived(self, row: Row) -> Columns:
        """Return another row that remembers together with this one."""
        made = Columns(row)
        made._whole, made._taken, made._notes = self._whole, self._taken, self._notes
        return made

    def replaced(self, without: Iterable[str] = (), **columns: Any) -> Columns:
        """Return this row without some columns, and with others."""
        left_out = set(without)
        return self.derived(
            {**{name: self._row[name] for name in self._row if name not in left_out}, **columns}
        )

    def apart(self) -> Columns:
        """Return this row with nothing read of it yet; what is, counts here once `take_over` is called."""
        return Columns(self._row)

    def take_over(self, other: Columns) -> None:
        """Remember what another one does, of the same row."""
        self._taken |= other._taken
        self._notes |= other._notes

    def unread(self, sample: Sample) -> list[str]:
        """Return the columns that hold something, are not read, and say what no turn of the sample says."""
        said = {message["content"] for message in sample.get("messages", ())}
        left = (name for name in self._whole if name not in self._taken and name not in IDENTIFYING)
        columns = [
            name
            for name in left
            if not is_empty(self._whole[name]) and not _is_among(self._whole[name], said)
        ]
        return [*map(str, columns), *sorted(self._notes)]


def is_empty(value: Any) -> bool:
    """Return whether a column holds nothing, as Arrow writes it too: structures of nulls; and pandas: NaN."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, Mapping):
        return all(map(is_empty, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_empty, value))
    return value is None or (isinstance(value, float) and math.isnan(value))


def says_nothing(text: str, in_any_case: bool = False) -> bool:
    """Return whether a text is what a program wrote where there was nothing."""
    return text in _NOTHING or (in_any_case and text.lower() in ("nan", "none", "null", "n/a"))


def _is_among(value: Any, said: set[str]) -> bool:
    return isinstance(value, str) and value.strip() in said


def count_unread(counted: Unread, source: str, row: Row, sample: Sample) -> None:
    """Count the columns of a row that nothing reads; a row that does not remember has none."""
    if isinstance(row, Columns):
        add_unread(counted, source, Counter(row.unread(sample)))


def add_unread(counted: Unread, source: str, more: Mapping[str, int]) -> None:
    """Add counts to those of a source; columns that come after many others are put together."""
    known = counted.setdefault(source, Counter())
    for name, count in more.items():
        known[name if name in known or len(known) < MOST_COLUMNS else OTHERS] += count
    if not known:
        del counted[source]


def counted_words(columns: Mapping[str, int]) -> str:
    """Return columns with the number of rows that have something in them."""
    return ", ".join(
        f"{name} ({count:,} {'row' if count == 1 else 'rows'})" for name, count in columns.items()
    )


def unread_words(source: str, columns: Mapping[str, int]) -> str:
    """Return in a line which columns of a source nothing reads, in how many rows, and what to do about it."""
    told = counted_words(columns)
    return (
        f"{source}: columns that are not read: {told}; `ignore: [...]` in the source says that this is meant"
    )
