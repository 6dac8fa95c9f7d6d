"""Shows how far long work has come: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from manus.guards import ranks
from manus.guards.clock import CLOCK

LINE_EVERY_SECONDS = 5.0

Advance = Callable[..., None]


def duration(seconds: float) -> str:
    """Return seconds as people read them: 4s, 2m05s, 1h10m."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Advance]:
    """Yield `advance(done, note="")`, where `done` counts units from the start of the work."""
    started, shown, first = CLOCK.now(), 0.0, None
    on_terminal = sys.stderr.isatty()
    is_silent = not ranks.is_first()

    def advance(done: int, note: str = "") -> None:
        nonlocal shown, first
        wall, now = time.monotonic(), CLOCK.now()
        first = (now, done) if first is None else first
        if is_silent or (done < total and wall - shown < (0.2 if on_terminal else LINE_EVERY_SECONDS)):
            return
        shown = wall
        rate = (done - first[1]) / (now - first[0]) if now > first[0] else 0.0
        left = f" · {duration((total - done) / rate)} left" if rate and done < total else ""
        share = done / total if total else 1.0
        bar = "█" * round(20 * share) + "░" * (20 - round(20 * share))
        text = f"  {title} {bar} {done}/{total} {unit}{' · ' + note if note else ''}{left}"
        if on_terminal:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    yield advance
    if on_terminal and shown:
        print(
            f"\r\033[K  {title} · {total} {unit} in {duration(CLOCK.now() - started)}",
            file=sys.stderr,
            flush=True,
        )
