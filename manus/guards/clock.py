"""The time that a run spends working: it stands still while the run is paused. Knows nothing of why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class WorkClock:
    """A monotonic clock that does not count pauses, so that speeds and remaining times stay true."""

    def __init__(self) -> None:
        self.idle_seconds = 0.0
        self._stopped_at: float | None = None

    def now(self) -> float:
        """Return seconds of work since some fixed moment."""
        wall = time.monotonic() if self._stopped_at is None else self._stopped_at
        return wall - self.idle_seconds

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let the clock stand still; inside of another stop this changes nothing."""
        if self._stopped_at is not None:
            yield
            return
        self._stopped_at = time.monotonic()
        try:
            yield
        finally:
            self.idle_seconds += time.monotonic() - self._stopped_at
            self._stopped_at = None


CLOCK = WorkClock()
