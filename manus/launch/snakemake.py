"""Lets signals that stop Snakemake stop its jobs too: by itself it would wait for them. Runs inside Snakemake."""

from __future__ import annotations

import contextlib
import os
import signal
import threading


def forward_stops_to_jobs() -> None:
    """Watch this process's signals without taking them from their handlers; jobs get SIGTERM for SIGTERM and SIGINT.

    Snakemake sets its handlers after it has read the Snakefile, so a handler of ours would be lost. The wakeup pipe
    of Python's signal module is told of every signal, whoever handles it.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_forward, args=(reader,), name="forward stops", daemon=True).start()


def _forward(reader: int) -> None:
    while numbers := os.read(reader, 64):
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            _terminate_jobs()


def _terminate_jobs() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if "manus" in child.cmdline():
                child.terminate()
