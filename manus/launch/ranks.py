"""Starts several ranks of one stage under torchrun and passes on signals. Knows nothing of training."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from functools import partial

import psutil

from manus.guards.registry import runs
from manus.guards.requests import die_with

PASSED_ON = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)
SECONDS_BETWEEN_LOOKS = 0.1


def launch(count: int, arguments: Sequence[str]) -> int:
    """Run `manus` with these arguments in `count` ranks, wait for them, and return torchrun's exit code.

    torchrun itself dies of SIGUSR1, so it is not signalled: the first rank is, as soon as it listens, and all
    ranks agree at their next step.
    """
    signals: deque[int] = deque()
    for number in PASSED_ON:
        signal.signal(number, lambda number, frame: signals.append(number))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    # A session of its own: Ctrl-C at the terminal reaches this process only, which passes it on once.
    torchrun = subprocess.Popen(
        [*command, "-m", "manus", *arguments],
        start_new_session=True,
        preexec_fn=partial(_until_it_listens, os.getpid()),
        env={"OMP_NUM_THREADS": "1", **os.environ},
    )
    while torchrun.poll() is None:
        first = _first_rank(torchrun.pid) if signals else None
        if first is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                first.send_signal(signals.popleft())
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return torchrun.returncode


def _until_it_listens(parent: int) -> None:
    """Ignore what would kill torchrun, and its ranks while they start; die with this process."""
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    if not die_with(parent, signal.SIGTERM):
        os._exit(1)


def _first_rank(torchrun: int) -> psutil.Process | None:
    """Return the process of rank 0 once it has made its run known, which is after it has begun to listen."""
    known = {status["pid"] for status in runs()}
    try:
        workers = psutil.Process(torchrun).children(recursive=True)
    except psutil.NoSuchProcess:
        return None
    return next((worker for worker in workers if worker.pid in known), None)
