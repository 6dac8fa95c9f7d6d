"""Ends work that comes to no safe point: by its processor time or memory, or when a signal asks to stop.

What a base brings along, such as its chat template, may loop for ever. Knows nothing of what is done.
"""

from __future__ import annotations

import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from manus.errors import InputError, Interrupted
from manus.guards.requests import REQUESTS

FIRST_LOOK_SECONDS = 0.5
LOOK_EVERY_SECONDS = 0.2
LARGEST_GROWTH_BYTES = 2 << 30  # of this process's memory while it works


class Patience:
    """How long one piece of work may take, and how often one may take longer before all of them are refused.

    It counts the processor time of this process, so neither a pause nor busy neighbours use it up.
    """

    def __init__(self, seconds: float, times: int) -> None:
        self.seconds, self.times = seconds, times
        self.lost = 0
        self._is_waiting = False

    @contextmanager
    def waiting(
        self, doing: str, late: Callable[[str], Exception], refused: type[InputError]
    ) -> Iterator[None]:
        """Wait for work that is done inside; what is called inside of it may wait too.

        Only the main thread hears signals; elsewhere work is waited for as long as it takes.

        Args:
            doing: what is done, as in "writing a conversation with the chat template".
            late: makes the error for one piece of work that takes too long, from what there is to say.
            refused: the error for the last of so many.

        Raises:
            Interrupted: a signal asks to stop.
        """
        if self._is_waiting or threading.current_thread() is not threading.main_thread():
            yield
            return
        began, held = time.process_time(), _bytes_in_memory()
        ended: list[Exception] = []

        def look(number: int, frame: FrameType | None) -> None:
            if not self._is_waiting:
                return
            if ended:  # what runs here caught it, and goes on
                raise ended[0]
            if REQUESTS.stop is not None:
                ended.append(Interrupted(f"{REQUESTS.stop.name} while {doing}; the next run continues"))
            elif why := self._too_much(doing, time.process_time() - began, _bytes_in_memory() - held):
                self.lost += 1
                is_last = self.lost >= self.times
                ended.append(refused(f"{why}, {self.lost} times; does it loop?") if is_last else late(why))
            if ended:
                raise ended[0]

        before = signal.signal(signal.SIGVTALRM, look)
        self._is_waiting = True
        signal.setitimer(signal.ITIMER_VIRTUAL, FIRST_LOOK_SECONDS, LOOK_EVERY_SECONDS)
        try:
            try:
                yield
            finally:
                self._is_waiting = False
        except Exception:
            if ended:  # some libraries stumble over an error that comes from between two of their lines
                raise ended[0] from None
            raise
        else:
            if ended:
                raise ended[0]
        finally:
            self._is_waiting = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)

    def _too_much(self, doing: str, seconds: float, grown: int) -> str | None:
        """Return what is too much of the work so far, if anything is."""
        if seconds > self.seconds:
            return f"{doing} takes more than {self.seconds:g} s"
        return (
            f"{doing} takes more than {LARGEST_GROWTH_BYTES >> 20:,} MB of memory"
            if grown > LARGEST_GROWTH_BYTES
            else None
        )


def _bytes_in_memory() -> int:
    """Return how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
