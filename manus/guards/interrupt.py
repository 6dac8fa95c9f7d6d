"""Notices SIGTERM and SIGINT and lets work stop at its next safe point. Knows nothing of the work."""

from __future__ import annotations

import ctypes
import os
import signal
from types import FrameType

from manus.errors import EXIT_INTERRUPTED, Interrupted

PR_SET_PDEATHSIG = 1


class StopRequest:
    """Whether this process was asked to stop. Handlers only set a flag; a second SIGINT ends at once."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def listen(self) -> None:
        """Install the handlers, and ask the kernel for SIGTERM when the parent process dies."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            self.signal = signal.SIGTERM

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.signal == signal.SIGINT:
            os._exit(EXIT_INTERRUPTED)
        self.signal = signal.Signals(number)

    @property
    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self.signal is not None

    def check(self, doing: str) -> None:
        """Stop here if asked to.

        Raises:
            Interrupted: a signal has come.
        """
        if self.signal is not None:
            raise Interrupted(f"{self.signal.name} while {doing}; the next run continues")


STOP = StopRequest()
