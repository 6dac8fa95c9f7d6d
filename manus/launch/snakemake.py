"""Lets signals that stop Snakemake stop its jobs too: alone it would wait for them. Runs inside Snakemake."""

from __future__ import annotations

import _thread
import contextlib
import os
import select
import signal
import threading
import time
from typing import Any

LOOK_EVERY_SECONDS = 0.2
INTERRUPT = signal.SIGALRM  # as SIGINT, which is ignored where a script has sent Snakemake to the background
SECONDS_TO_END = 15.0  # for Snakemake to end by itself when all of its jobs have ended


def forward_stops_to_jobs() -> None:
    """Watch this process's signals and leave them to their handlers; jobs get SIGTERM for SIGTERM and SIGINT.

    Snakemake sets its handlers after it has read the Snakefile, so a handler of ours would be lost. The
    wakeup pipe of Python's signal module is told of every signal, whoever handles it.
    """
    handle_stops_beside()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(INTERRUPT, signal.default_int_handler)
    main = threading.get_ident()
    threading.Thread(target=_forward, args=(reader, main), name="forward stops", daemon=True).start()


def handle_stops_beside() -> None:
    """Let Snakemake's scheduler handle SIGTERM in a thread of its own.

    Its handler waits for a lock. It runs in the main thread, between any two of its steps, and where that
    thread holds the lock, as it does whenever a job has ended, it would wait for itself for ever.
    """
    from snakemake.scheduling.job_scheduler import JobScheduler  # type: ignore[import-untyped]

    handle = JobScheduler.exit_gracefully
    if getattr(handle, "is_beside", False):
        return

    def beside(scheduler: Any, *_: Any) -> None:
        _thread.start_new_thread(handle, (scheduler,))  # threading.Thread waits for locks, too

    beside.is_beside = True  # type: ignore[attr-defined]
    JobScheduler.exit_gracefully = beside


def _forward(reader: int, main: int) -> None:
    import psutil

    told: set[psutil.Process] = set()
    is_stopping = False
    last_seen = 0.0
    while True:
        if select.select([reader], [], [], LOOK_EVERY_SECONDS if is_stopping else None)[0]:
            numbers = os.read(reader, 64)
            is_stopping = is_stopping or signal.SIGTERM in numbers or signal.SIGINT in numbers
        if is_stopping:  # and stays so: a job may be about to start, or to become ours
            if _terminate_jobs(told) or not told:
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen > SECONDS_TO_END:
                # It misses the end of a job when it cannot write of it, its reader being gone; what Ctrl-C
                # does ends it yet.
                signal.pthread_kill(main, INTERRUPT)
                return


def _terminate_jobs(told: set[Any]) -> int:
    """Send SIGTERM to the jobs that have not been told yet; return how many jobs there are."""
    import psutil

    count = 0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if "manus" not in child.cmdline():
                continue
            count += 1
            if child not in told:
                child.terminate()
                told.add(child)
    return count
