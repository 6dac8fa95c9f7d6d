"""Keeps a run's `status.json` true, at most once a second. Knows nothing of who reads it."""

from __future__ import annotations

import math
import socket
import time
from collections import deque
from pathlib import Path
from typing import Any, Literal

import psutil

from manus.files import write_json
from manus.guards.clock import CLOCK
from manus.utc import timestamp

State = Literal[
    "starting",
    "preparing",
    "training",
    "paused",
    "cooling",
    "checkpointing",
    "evaluating",
    "merging",
    "reporting",
    "interrupted",
    "done",
    "failed",
]
NAME = "status.json"
SECONDS_BETWEEN_WRITES = 1.0
LOSSES_KEPT = 120


class StatusFile:
    """What one run tells the world of itself."""

    def __init__(self, path: Path, **facts: Any) -> None:
        me = psutil.Process()
        self.path = path
        self.facts: dict[str, Any] = {
            "pid": me.pid,
            "host": socket.gethostname(),
            "process_started": me.create_time(),
            **facts,
            "state": "starting",
            "reason": "",
        }
        self.losses: deque[float] = deque(maxlen=LOSSES_KEPT)
        self._began: tuple[float, int] | None = None
        self._written_at = float("-inf")
        self._has_complained = False

    def tell(self, state: State | None = None, *, now: bool = False, **facts: Any) -> None:
        """Note new facts and write them, at most once a second; a new state is written at once."""
        is_new = state is not None and state != self.facts["state"]
        self.facts |= facts if state is None else {**facts, "state": state}
        if math.isfinite(facts.get("loss", math.nan)):
            self.losses.append(facts["loss"])
        wall = time.monotonic()
        if now or is_new or wall - self._written_at >= SECONDS_BETWEEN_WRITES:
            self._written_at = wall
            self._write()

    def step(self, step: int, total: int, **facts: Any) -> None:
        """Note how far the work is, and from that the time that is left."""
        at = CLOCK.now()
        self._began = self._began or (at, step)
        done, spent = step - self._began[1], at - self._began[0]
        if done > 0:
            facts["eta_seconds"] = round((total - step) * spent / done)
        self.tell(step=step, total_steps=total, **facts, now=step == total)

    def _write(self) -> None:
        try:
            updated = {"losses": list(self.losses), "updated_at": timestamp(time.time())}
            write_json(self.path, _finite({**self.facts, **updated}), is_durable=False)
        except OSError as error:
            # A full disk must not end a run that only wanted to talk about itself.
            if not self._has_complained:
                print(f"  {self.path.name} cannot be written: {error.strerror}; the work goes on", flush=True)
            self._has_complained = True


def _finite(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts with null where a number is infinite or none, which JSON cannot say."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in facts.items()
    }


def is_alive(status: dict[str, Any]) -> bool:
    """Tell whether the process that wrote a status on this host still runs, not another of its number."""
    try:
        found: float = psutil.Process(status["pid"]).create_time()
        return abs(found - float(status["process_started"])) < 1.0
    except (psutil.NoSuchProcess, psutil.AccessDenied, KeyError, TypeError, ValueError):
        return False
