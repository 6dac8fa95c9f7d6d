"""The parent's side of the scoring worker: starts, asks, awaits within limits, ends it. Knows no verifier."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

LOOK_EVERY_SECONDS = 0.2
READ_BYTES = 65536
WORKER_MODULE = "manus.rewards.worker"


class WorkerGone(Exception):
    """The worker's process ended, or no longer answers; the message says how."""


class WorkerProcess:
    """One worker. After WorkerGone or TimeoutError it is of no more use and must be killed."""

    def __init__(self, while_waiting: Callable[[], None]) -> None:
        self._while_waiting = while_waiting
        self._unread = b""
        self._looked_at = time.monotonic()
        # What this process can import the worker can; sets are in one order in all workers; -P keeps out what
        # lies in the working directory by chance. A session of its own keeps the terminal's Ctrl-C away, and
        # makes one kill reach whatever a verifier started.
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONHASHSEED": "0",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", WORKER_MODULE, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=environment,
        )

    def is_alive(self) -> bool:
        """Return whether the process has not ended."""
        return self._process.poll() is None

    def tell(self, value: Any) -> None:
        """Send one value.

        Raises:
            WorkerGone: nobody reads it.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{json.dumps(value)}\n".encode())
            self._process.stdin.flush()
        except OSError:
            raise WorkerGone(self._how_it_ended()) from None

    def answer(self, timeout_seconds: float) -> Any:
        """Return the next value.

        Only time in which this process waited counts, not time in which it was stopped itself.

        Raises:
            TimeoutError: none came in time.
            WorkerGone: none will come.
        """
        left = timeout_seconds
        while b"\n" not in self._unread:
            if left <= 0:
                raise TimeoutError
            wait = min(left, LOOK_EVERY_SECONDS)
            if not self._read(wait):
                left -= wait
            self._look()
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def _read(self, wait_seconds: float) -> bool:
        assert self._process.stdout is not None
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN)
        if poll.poll(wait_seconds * 1000):
            new = os.read(self._process.stdout.fileno(), READ_BYTES)
            if not new:
                raise WorkerGone(self._how_it_ended())
            self._unread += new
            return True
        if not self.is_alive():
            raise WorkerGone(self._how_it_ended())
        return False

    def _look(self) -> None:
        if time.monotonic() - self._looked_at >= LOOK_EVERY_SECONDS:
            self._looked_at = time.monotonic()
            self._while_waiting()

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "closed its pipe to the trainer"
        if code >= 0:
            return f"ended its process with exit code {code}"
        return f"ended its process by {signal.Signals(-code).name}"

    def kill(self) -> None:
        """End the worker and what its verifiers started; twice is fine."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
