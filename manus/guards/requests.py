"""What a run was asked to do: by signals, or by a control file where no signal can be sent.

Handlers only note what came. Knows nothing of how it is answered.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from manus.errors import EXIT_INTERRUPTED
from manus.files import write_json

PR_SET_PDEATHSIG = 1
CONTROL = "control.json"
LOOK_EVERY_SECONDS = 0.2
ORDERS = ("pause", "resume", "checkpoint")


@dataclass(frozen=True, slots=True)
class Asked:
    """What came since the last look: how often to toggle the pause, an order to pause or not, a checkpoint."""

    toggles: int = 0
    pause: bool = False
    resume: bool = False
    checkpoint: bool = False
    by: str = ""


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent process dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Requests:
    """Signals and the control file of this process. A second SIGINT ends it at once."""

    def __init__(self) -> None:
        self.stop: signal.Signals | None = None
        self._signals: deque[int] = deque()  # append and popleft cannot be torn by a handler
        self._control: Path | None = None
        self._control_time = 0
        self._looked_at = 0.0

    def listen(self) -> None:
        """Install the handlers, and ask the kernel for SIGTERM when the parent process dies."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note_stop)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, self._note)
        parent = os.getppid()
        die_with_parent()
        if os.getppid() != parent:
            self.stop = signal.SIGTERM

    def obey(self, work: Path | None) -> None:
        """Read orders from the control file in a run's folder; what earlier runs were told there is void."""
        self._control = None if work is None else work / CONTROL
        self._control_time = 0
        if self._control is not None:
            self._control.unlink(missing_ok=True)

    def _note_stop(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.stop == signal.SIGINT:
            os._exit(EXIT_INTERRUPTED)
        self.stop = signal.Signals(number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def take(self) -> Asked:
        """Return what came since the last call."""
        if not self._signals and time.monotonic() - self._looked_at < LOOK_EVERY_SECONDS:
            return Asked()
        toggles, is_checkpoint = 0, False
        while self._signals:
            if self._signals.popleft() == signal.SIGUSR1:
                toggles += 1
            else:
                is_checkpoint = True
        self._looked_at = time.monotonic()
        order, by = self._order()
        return Asked(
            toggles, order == "pause", order == "resume", is_checkpoint or order == "checkpoint",
            by if order else "SIGUSR1",
        )  # fmt: skip

    def _order(self) -> tuple[str, str]:
        if self._control is None:
            return "", ""
        try:
            changed = self._control.stat().st_mtime_ns
            if changed == self._control_time:
                return "", ""
            order = json.loads(self._control.read_text(encoding="utf-8"))
            self._control_time = changed
            return (order["order"], str(order["by"])) if order["order"] in ORDERS else ("", "")
        except (OSError, ValueError, KeyError, TypeError):
            return "", ""


def give_order(work: Path, order: str, by: str) -> None:
    """Leave an order in a run's folder; it is read at the run's next safe point."""
    assert order in ORDERS, order
    write_json(work / CONTROL, {"order": order, "by": by})


REQUESTS = Requests()
