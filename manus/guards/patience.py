"""Ends work that never comes to a safe point: when it takes too much processor time, or when a signal asks to stop.

What a base brings along, such as its chat template, may loop for ever. Knows nothing of what is done.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from manus.errors import InputError, Interrupted
from manus.guards.requests import REQUESTS

FIRST_LOOK_SECONDS = 0.5
LOOK_EVERY_SECONDS = 0.2


class Patience:
    """How long one piece of work may take, and how often one may take longer before all of them are refused.

    It counts the processor time of this process, so neither a pause nor busy neighbours use it up.
    """

    def __init__(self, seconds: float, times: int) -> None:
        self.seconds, self.times = seconds, times
        self.lost = 0
        self._is_waiting = False

    @contextmanager
    def waiting(self, doing: str, late: Callable[[str], Exception], refused: type[InputError]) -> Iterator[None]:
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
        began = time.process_time()
        ended: list[Exception] = []

        def look(number: int, frame: FrameType | None) -> None:
            if not self._is_waiting:
                return
            if REQUESTS.stop is not None:
                ended.append(Interrupted(f"{REQUESTS.stop.name} while {doing}; the next run continues"))
            elif time.process_time() - began > self.seconds:
                self.lost += 1
                why = f"{doing} takes more than {self.seconds:g} s"
                is_last = self.lost >= self.times
                ended.append(refused(f"{why}, {self.lost} times; does it loop?") if is_last else late(why))
            if ended:
                self._is_waiting = False
                raise ended[0]

        before = signal.signal(signal.SIGVTALRM, look)
        self._is_waiting = True
        signal.setitimer(signal.ITIMER_VIRTUAL, FIRST_LOOK_SECONDS, LOOK_EVERY_SECONDS)
        try:
            yield
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
