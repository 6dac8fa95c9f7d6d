"""Locks between processes, which end with whoever holds them. Knows nothing of what they guard."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

SECONDS_BETWEEN_TRIES = 0.2


@contextmanager
def held(
    path: Path, begin_waiting: Callable[[str], None], while_waiting: Callable[[], None]
) -> Iterator[None]:
    """Hold a lock; its file stays, and says which process has it.

    Args:
        path: the lock's file.
        begin_waiting: called once where another process holds it, with that one's number.
        while_waiting: called again and again until it is free; may raise to give up.
    """
    with _opened(path) as stream:
        if not _is_taken(stream):
            stream.seek(0)
            begin_waiting(stream.read().strip())
            while not _is_taken(stream):
                while_waiting()
                time.sleep(SECONDS_BETWEEN_TRIES)
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


@contextmanager
def held_if_free(path: Path) -> Iterator[bool]:
    """Hold a lock unless another process does; tell whether it is held. Waits for nobody."""
    with _opened(path) as stream:
        yield _is_taken(stream)


def _opened(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+")


def _is_taken(stream: IO[str]) -> bool:
    """Try to lock an open file for this process; tell whether that worked."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
