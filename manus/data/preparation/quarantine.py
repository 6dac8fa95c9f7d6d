"""Rows that could not become samples, and when they are too many. Knows nothing of how rows are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manus.errors import DataError
from manus.files import write_jsonl

EXAMPLES_IN_ERROR = 3


@dataclass
class Quarantine:
    """Rows that could not become samples, with the place and the reason; and how many rows there were."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    seen: int = 0

    def add(self, place: str, reason: str, row: Any) -> None:
        """Put a row aside; bytes in it are told by their number."""
        self.rows.append({"place": place, "reason": reason, "row": without_bytes(row)})

    def check(self, budget: float, file: Path) -> None:
        """Refuse the data when more than a share of `budget` of the rows are bad.

        Raises:
            DataError: with the most frequent reasons and examples.
        """
        if len(self.rows) <= budget * self.seen:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(file, self.rows)
        reasons = Counter(row["reason"] for row in self.rows).most_common(EXAMPLES_IN_ERROR)
        first = {row["reason"]: row["place"] for row in reversed(self.rows)}
        shown = "\n".join(f"  {count} x {reason} (first: {first[reason]})" for reason, count in reasons)
        raise DataError(
            f"{len(self.rows)} of {self.seen} rows cannot be used, more than failure_budget {budget:.0%} allows:\n{shown}\n"
            f"all of them are in {file}; mend the data, or raise failure_budget"
        )


def without_bytes(value: Any) -> Any:
    """Return a row as JSON can hold it."""
    if isinstance(value, Mapping):
        return {name: without_bytes(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_bytes(one) for one in value]
    return f"({len(value):,} bytes)" if isinstance(value, bytes | bytearray) else value
