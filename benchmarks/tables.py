"""Writes a benchmark's table into docs/BENCHMARKS.md, between its marks, with the machine and the date."""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "docs" / "BENCHMARKS.md"


def write_table(name: str, markdown: str, path: Path = BENCHMARKS) -> None:
    """Put a table between `<!-- name:begin -->` and `<!-- name:end -->`, in place of what stood there.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    text = path.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise ValueError(f"{path}: {begin} or {end} is missing")
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    path.write_text(f"{before}{begin}\n{markdown.strip()}\n\n{machine()}\n{end}{after}", encoding="utf-8")


def machine() -> str:
    """Return the processor, how many of it there are, and the date, as a line."""
    return (
        f"Measured on {processor()}, {len(os.sched_getaffinity(0))} cores, "
        f"{datetime.date.today().isoformat()}."
    )


def processor() -> str:
    """Return the name of the processor."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^(?:model name|Hardware|cpu)\s*:\s*(.+)$", told, re.MULTILINE)
    return found[1].strip() if found else os.uname().machine
