"""Decides when a run rests. Knows nothing of models."""

from __future__ import annotations

import time


def is_due(step: int, every_steps: int) -> bool:
    """Tell whether the device rests after this step; 0 means never."""
    return every_steps > 0 and step > 0 and step % every_steps == 0


class Countdown:
    """Seconds of rest that are left."""

    def __init__(self, seconds: float) -> None:
        self.total = round(seconds)
        self.ends_at = time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """How much longer to rest."""
        return max(0.0, self.ends_at - time.monotonic())

    @property
    def seconds_gone(self) -> int:
        """How long the rest has lasted."""
        return int(self.total - self.seconds_left)
