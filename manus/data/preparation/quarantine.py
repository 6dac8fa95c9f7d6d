"""Rows that could not become samples, and when they are too many. Knows nothing of how rows are read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manus.errors import DataError

QUARANTINE = "quarantine.jsonl"
EXAMPLES_IN_ERROR = 3
LARGEST_REASONS = 200
LONGEST_SHOWN = 2000  # characters of a bad row among many

Entry = Mapping[str, Any]  # a bad row: `place`, `reason` and `row`


@dataclass
class Failures:
    """How many rows there were, how many of them are bad, why, and where the first of each reason stands."""

    seen: int = 0
    bad: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def note(self, reason: str, place: str, count: int = 1) -> None:
        """Count bad rows; reasons that come after many others are put together."""
        known = reason if reason in self.reasons or len(self.reasons) < LARGEST_REASONS else "other reasons"
        self.bad += count
        self.reasons[known] += count
        self.first.setdefault(known, place)

    def add_all(self, other: Failures) -> None:
        """Count what another has counted, too."""
        self.seen += other.seen
        for reason, count in other.reasons.items():
            self.note(reason, other.first[reason], count)

    def refuse_beyond(
        self, budget: float, file: Path, entries: Iterable[Entry], expected: int | None = None
    ) -> None:
        """Refuse the data when more than a share of `budget` of the rows are bad.

        Args:
            budget: the share that may be bad.
            file: where the bad rows go then.
            entries: the bad rows, or the first of them.
            expected: how many rows there will be, where that is more than were seen.

        Raises:
            DataError: with the most frequent reasons and examples.
        """
        if self.bad <= budget * (expected or self.seen):
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        shown = write_entries(file, entries)
        reasons = "\n".join(
            f"  {count} x {reason} (first: {self.first[reason]})"
            for reason, count in self.reasons.most_common(EXAMPLES_IN_ERROR)
        )
        raise DataError(
            f"{self.bad} of {self.seen} rows cannot be used, more than failure_budget {budget:.0%} allows:\n"
            f"{reasons}\n{'all of them' if shown == self.bad else f'{shown} of them'} are in {file}; "
            "mend the data, or raise failure_budget"
        )


@dataclass
class Quarantine(Failures):
    """Rows that could not become samples, with their places and reasons.

    Of many, `most` are kept, each cut to LONGEST_SHOWN characters; the others are counted.
    """

    rows: list[Entry] = field(default_factory=list)
    most: int | None = None

    @classmethod
    def of(cls, rows: Iterable[Entry], seen: int) -> Quarantine:
        """Return one that holds rows which were put aside before."""
        found = cls(seen)
        for row in rows:
            found.take(row)
        return found

    def add(self, place: str, reason: str, row: Any) -> None:
        """Put a row aside; bytes in it are told by their number."""
        if self.most is None:
            self.take({"place": place, "reason": reason, "row": without_bytes(row)})
        elif len(self.rows) < self.most:
            self.take(shown(place, reason, row))
        else:
            self.note(reason[:LONGEST_SHOWN], place)

    def take(self, entry: Entry) -> None:
        """Keep a row that was put aside."""
        self.note(entry["reason"], entry["place"])
        self.rows.append(entry)

    def check(self, budget: float, file: Path) -> None:
        """Refuse the data when too many rows are here; raises DataError as `refuse_beyond` does."""
        self.refuse_beyond(budget, file, self.rows)


def shown(place: str, reason: str, row: Any) -> Entry:
    """Return a bad row among many, cut to what is shown of it."""
    row = without_bytes(row)
    text = json.dumps(row, ensure_ascii=False, default=str)
    return {
        "place": place,
        "reason": reason[:LONGEST_SHOWN],
        "row": json.loads(text) if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ...",
    }


def write_entries(file: Path, entries: Iterable[Entry]) -> int:
    """Write bad rows, one a line, and return how many there are."""
    count = 0
    with file.open(
        "w", encoding="utf-8", errors="backslashreplace"
    ) as stream:  # half a character: its escape
        for entry in entries:
            stream.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")
            count += 1
    return count


def read_entries(files: Iterable[Path], most: int) -> Iterator[Entry]:
    """Yield the bad rows in files, up to a limit."""
    left = most
    for file in files:
        with file.open(encoding="utf-8") as stream:
            for line in stream:
                if not left:
                    return
                left -= 1
                yield json.loads(line)


def without_bytes(value: Any) -> Any:
    """Return a row as JSON can hold it."""
    if isinstance(value, Mapping):
        return {name: without_bytes(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_bytes(one) for one in value]
    return f"({len(value):,} bytes)" if isinstance(value, bytes | bytearray) else value
