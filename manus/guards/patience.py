"""Ends work that comes to no safe point: by its processor time or memory, or when a signal asks to stop.

What a base brings along, such as its chat template, may loop for ever, in a job's main thread or in any
thread of a server. So a thread beside watches, and lets Python raise in the one that works: between two of
its instructions, whatever it does. Knows nothing of what is done.
"""

from __future__ import annotations

import ctypes
import os
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from manus.errors import InputError, Interrupted
from manus.guards.requests import REQUESTS

LOOK_EVERY_SECONDS = 0.2
FIRST_LOOK_SECONDS = 0.5  # of the processor's time
RAISE_EVERY_SECONDS = 1.0  # where what runs has caught it and goes on
LARGEST_GROWTH_BYTES = 2 << 30  # of this process's memory while it works

Result = TypeVar("Result")


class GivenUp(BaseException):
    """Raised inside of work that is given up; no `except Exception` takes it for an error of its own."""


@dataclass(eq=False)
class Piece:
    """One piece of work that is waited for, and why it was given up, if it was."""

    thread: int
    began: float  # in seconds of that thread's own clock
    held: int  # bytes in memory as it began
    why_not: Callable[[float, int], Exception | None]  # from seconds and bytes so far
    ended: Exception | None = None
    raised_at: float = 0.0
    is_over: bool = False

    def seconds(self) -> float:
        """Return how long it has taken so far; while it runs only, as a thread that is gone has no clock."""
        return time.clock_gettime(time.pthread_getcpuclockid(self.thread)) - self.began

    def look(self) -> None:
        """Give the work up, if there is a reason to. What has been given up and still runs is told again."""
        if self.ended is None:
            seconds = self.seconds()
            if seconds < FIRST_LOOK_SECONDS and REQUESTS.stop is None:
                return
            self.ended = self.why_not(seconds, _bytes_in_memory() - self.held)
        if self.ended is not None and time.monotonic() - self.raised_at > RAISE_EVERY_SECONDS:
            self.raised_at = time.monotonic()
            _raise_in(self.thread, GivenUp)


class Watcher:
    """Looks at pieces of work from a thread of its own, which is there only while there are some."""

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(
            after_in_child=self.forget
        )  # a child has one thread, and none of its parent's work

    def forget(self) -> None:
        """Begin with nothing."""
        self.lock = threading.Lock()
        self.pieces: dict[int, Piece] = {}  # by thread
        self.is_there = False

    def begin(self, piece: Piece) -> None:
        """Look at a piece of work from now on."""
        with self.lock:
            self.pieces[piece.thread] = piece
            if not self.is_there:
                self.is_there = True
                threading.Thread(target=self._look, name="patience", daemon=True).start()

    def end(self, piece: Piece) -> None:
        """Look at it no more. When this returns, nothing is raised in its thread any more."""
        with self.lock:
            if not piece.is_over:
                piece.is_over = True
                del self.pieces[piece.thread]
                if piece.raised_at:
                    _raise_in(piece.thread, None)

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            with self.lock:
                if not self.pieces:
                    self.is_there = False
                    return
                for piece in self.pieces.values():
                    piece.look()


WATCHER = Watcher()


class Patience:
    """How long one piece of work may take, and how often one may take longer before all of them are refused.

    It counts the processor time of the thread that works, so neither a pause nor busy neighbours use it up.
    Memory is the whole process's: in a server, what other threads take meanwhile counts as well.
    """

    def __init__(self, seconds: float, times: int) -> None:
        self.seconds, self.times = seconds, times
        self.lost = 0

    def wait_for(
        self,
        work: Callable[[], Result],
        doing: str,
        late: Callable[[str], Exception],
        refused: type[InputError],
    ) -> Result:
        """Do work in this thread, and return what it returns. What is called inside of it may wait too.

        It is a function that does the work, not a `with` around it: an exception from outside may come
        between the end of a block and the code that leaves it, where nobody would catch it.

        Args:
            work: is done.
            doing: what that is, as in "writing a conversation with the chat template".
            late: makes the error for one piece of work that takes too long, from what there is to say.
            refused: the error for the last of so many.

        Raises:
            Interrupted: a signal asks to stop.
        """
        thread = threading.get_ident()
        if thread in WATCHER.pieces:  # the outermost wait counts
            return work()

        def why_not(seconds: float, grown: int) -> Exception | None:
            if REQUESTS.stop is not None:
                return Interrupted(f"{REQUESTS.stop.name} while {doing}; the next run continues")
            why = self._too_much(doing, seconds, grown)
            if why is None:
                return None
            self.lost += 1
            return (
                refused(f"{why}, {self.lost} times; does it loop?") if self.lost >= self.times else late(why)
            )

        piece = Piece(thread, time.thread_time(), _bytes_in_memory(), why_not)
        try:
            WATCHER.begin(piece)
            try:
                made = work()
            finally:
                WATCHER.end(piece)
        except (GivenUp, Exception):
            if (
                piece.ended is not None
            ):  # some libraries stumble over what comes from between two of their lines
                raise piece.ended from None
            raise
        finally:
            WATCHER.end(piece)  # where the first time was cut short
        if piece.ended is not None:  # what runs here caught it, and came to an end all the same
            raise piece.ended
        return made

    def _too_much(self, doing: str, seconds: float, grown: int) -> str | None:
        """Return what is too much of the work so far, if anything is."""
        if seconds > self.seconds:
            return f"{doing} takes more than {self.seconds:g} s"
        return (
            f"{doing} takes more than {LARGEST_GROWTH_BYTES >> 20:,} MB of memory"
            if grown > LARGEST_GROWTH_BYTES
            else None
        )


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Let a thread raise an exception at its next instruction, or no longer raise the one it was to."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error and ctypes.py_object(error))


def _bytes_in_memory() -> int:
    """Return how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
