"""What a run was asked to do: by signals, or by a control file where no signal can be sent.

Handlers only note what came. Knows nothing of how it is answered.
"""

from __future__ import annotations

import atexit
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
LOOK_EVERY_SECONDS = 0.2
# The file in which each order is left. Pausing and resuming replace each other, saving does not.
ORDERS = {"pause": "control.json", "resume": "control.json", "checkpoint": "control_checkpoint.json"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What came since the last look: how often to toggle pause, an order to pause or not, a checkpoint."""

    toggles: int = 0
    pause: bool = False
    resume: bool = False
    checkpoint: bool = False
    by: str = ""


def die_with(parent: int, by: signal.Signals) -> bool:
    """Ask the kernel for a signal when the parent dies; tell whether it is still there, and so will be heard.

    Args:
        parent: the number of the process that started this one.
        by: the signal.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, by)
    return os.getppid() == parent


class Requests:
    """Signals and the control file of this process. A second SIGINT ends it at once."""

    def __init__(self) -> None:
        self.stop: signal.Signals | None = None
        self._interrupts = 0
        self._signals: deque[int] = deque()  # append and popleft cannot be torn by a handler
        self._orders: dict[Path, int] = {}  # the files that hold them, and when each was changed last
        self._looked_at = 0.0

    def listen(self, is_job: bool = False) -> None:
        """Install the handlers; a job of Snakemake or torchrun also gets SIGTERM when that dies."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note_stop)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, self._note)
        atexit.register(self.ignore)
        if not is_job:
            return
        if not die_with(os.getppid(), signal.SIGTERM):
            self.stop = signal.SIGTERM

    def ignore(self) -> None:
        """Ignore the signals that ask a run for something, from now to the end of the process.

        Python gives signals back their deadly meaning while it shuts down, unless they are ignored.
        """
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)

    def obey(self, work: Path | None) -> None:
        """Read orders from the control file in a run's folder; what earlier runs were told there is void."""
        self._orders = {} if work is None else {work / name: 0 for name in set(ORDERS.values())}
        for file in self._orders:
            file.unlink(missing_ok=True)

    def _note_stop(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            os._exit(EXIT_INTERRUPTED)
        self.stop = self.stop or signal.Signals(number)

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
        orders = dict(filter(None, map(self._order, self._orders)))
        return Asked(
            toggles,
            "pause" in orders,
            "resume" in orders,
            is_checkpoint or "checkpoint" in orders,
            orders.get("pause", "SIGUSR1"),
        )

    def _order(self, file: Path) -> tuple[str, str] | None:
        """Return a new order and who gave it, if the file holds one."""
        try:
            changed = file.stat().st_mtime_ns
            if changed == self._orders[file]:
                return None
            self._orders[file] = changed
            order = json.loads(file.read_text(encoding="utf-8"))
            return str(order["order"]), str(order["by"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def give_order(work: Path, order: str, by: str) -> None:
    """Leave an order in a run's folder; it is read at the run's next safe point."""
    write_json(work / ORDERS[order], {"order": order, "by": by})


REQUESTS = Requests()
