"""Keeps what a job prints in `logs/` too, and why it failed. Knows nothing of jobs."""

from __future__ import annotations

import contextlib
import io
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from manus.utc import timestamp


@contextlib.contextmanager
def logged(file: Path, name: str) -> Iterator[None]:
    """Write what the job `name` prints to a log file too, and say there why it failed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with _closed_quietly(file.open("a", encoding="utf-8")) as log:
        both = Both(sys.stdout, log)
        both.keep(f"--- {timestamp(time.time())} {name}\n")
        with contextlib.redirect_stdout(both), contextlib.redirect_stderr(Both(sys.stderr, log)):
            try:
                yield
            except BaseException:
                both.keep(traceback.format_exc())
                raise


@contextlib.contextmanager
def _closed_quietly(log: TextIO) -> Iterator[TextIO]:
    """Close a log whose last words may not fit on the disk; what they were was said on the terminal."""
    try:
        yield log
    finally:
        with contextlib.suppress(OSError):
            log.close()


class Both(io.TextIOBase):
    """Text that goes to the terminal and, but for redrawn lines, to a log."""

    def __init__(self, terminal: TextIO, log: TextIO) -> None:
        self.terminal, self.log, self.is_kept = terminal, log, True

    def write(self, text: str) -> int:
        """Write to both."""
        self.terminal.write(text)
        if not text.startswith("\r"):
            self.keep(text)
        return len(text)

    def keep(self, text: str) -> None:
        """Write to the log only."""
        if not self.is_kept:
            return
        try:
            self.log.write(text)
            self.log.flush()
        except OSError as error:
            # A full disk must not end a run that can still pause, or compute.
            self.is_kept = False
            self.terminal.write(f"  the log ends here: {error.strerror}\n")

    def flush(self) -> None:
        """Flush both."""
        self.terminal.flush()

    def isatty(self) -> bool:
        """Tell whether the terminal is one."""
        return self.terminal.isatty()
