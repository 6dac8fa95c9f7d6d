"""Starts several ranks of one stage under torchrun and passes signals on to them. Knows nothing of training."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

import psutil

from manus.errors import Interrupted, ManusError
from manus.guards.requests import die_with_parent

STOPPING = (signal.SIGTERM, signal.SIGINT)
PASSED_ON = (signal.SIGUSR1, signal.SIGUSR2, *STOPPING)


def launch(count: int, arguments: Sequence[str]) -> None:
    """Run `manus` with these arguments in `count` ranks and wait for them.

    torchrun itself dies of SIGUSR1, so it is not signalled: the first rank is, and all ranks agree at their next step.

    Raises:
        Interrupted: the ranks saved their state and stopped.
        ManusError: they failed.
    """
    stopped_by: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if number in STOPPING:
            stopped_by.append(number)
        for process in _first_rank(torchrun.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    # A session of its own: Ctrl-C at the terminal reaches this process only, which passes it on once.
    torchrun = subprocess.Popen(
        [*command, "-m", "manus", *arguments], start_new_session=True, preexec_fn=die_with_parent,
        env={"OMP_NUM_THREADS": "1", **os.environ},
    )  # fmt: skip
    for number in PASSED_ON:
        signal.signal(number, pass_on)
    code = torchrun.wait()
    if code and stopped_by:
        raise Interrupted(f"{signal.Signals(stopped_by[0]).name}: all ranks saved and stopped; the next run continues")
    if code:
        raise ManusError(f"the {count} ranks ended with exit code {code}; the lines above say why")


def _first_rank(torchrun: int) -> list[psutil.Process]:
    """Return the process of rank 0, once it can take signals; torchrun's own process takes none."""
    try:
        workers = psutil.Process(torchrun).children(recursive=True)
        return [worker for worker in workers if worker.environ().get("RANK") == "0" and "manus" in worker.cmdline()]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []
