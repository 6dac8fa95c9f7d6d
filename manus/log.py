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

from manus.artifact import timestamp


@contextlib.contextmanager
def logged(file: Path, name: str) -> Iterator[None]:
    """Write what the job `name` prints to a log file too, and say there why it failed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as log:
        log.write(f"--- {timestamp(time.time())} {name}\n")
        with contextlib.redirect_stdout(Both(sys.stdout, log)), contextlib.redirect_stderr(Both(sys.stderr, log)):
            try:
                yield
            except BaseException:
                with contextlib.suppress(OSError):  # the disk may be full; the terminal has been told
                    log.write(traceback.format_exc())
                    log.flush()
                raise


class Both(io.TextIOBase):
    """Text that goes to the terminal and, but for redrawn lines, to a log."""

    def __init__(self, terminal: TextIO, log: TextIO) -> None:
        self.terminal, self.log, self.is_kept = terminal, log, True

    def write(self, text: str) -> int:
        """Write to both."""
        self.terminal.write(text)
        if not text.startswith("\r"):
            self._keep(text)
        return len(text)

    def _keep(self, text: str) -> None:
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
