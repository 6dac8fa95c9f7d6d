"""A signal to Snakemake ends it and its jobs, whatever it does then; each case in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCHEDULER = """
import os, signal, threading, time
from manus.launch.snakemake import forward_stops_to_jobs
forward_stops_to_jobs()
forward_stops_to_jobs()
from snakemake.scheduling.job_scheduler import JobScheduler

scheduler = JobScheduler.__new__(JobScheduler)
scheduler._lock, scheduler._open_jobs, scheduler._user_kill = threading.Lock(), threading.Semaphore(0), None
signal.signal(signal.SIGTERM, scheduler.exit_gracefully)  # as it does itself
held = {"the lock of its jobs": scheduler._lock, "the lock of its semaphore": scheduler._open_jobs._cond}
with held[HELD]:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.3)
    print("goes on", flush=True)
assert scheduler._open_jobs.acquire(timeout=20), "it is not woken"
assert scheduler._user_kill == "graceful"
print("ends", flush=True)
"""

JOBS = """
import os, signal, subprocess, sys, time
from manus.launch.snakemake import forward_stops_to_jobs
forward_stops_to_jobs()
signal.signal(signal.SIGTERM, lambda *_: None)
code = "import time; time.sleep(100)"
def job():
    return subprocess.Popen([sys.executable, "-c", code, "manus"])
first, other = job(), subprocess.Popen([sys.executable, "-c", code, "another"])
os.kill(os.getpid(), signal.SIGTERM)
assert first.wait(20) == -signal.SIGTERM
late = job()  # Snakemake was about to start it
assert late.wait(20) == -signal.SIGTERM
assert other.poll() is None
other.kill()
print("ends", flush=True)
"""


LOST = """
import os, signal, subprocess, sys, threading
from manus.launch import snakemake as forwarding
forwarding.SECONDS_TO_END = 1.0
signal.signal(signal.SIGINT, signal.INTERRUPT)
forwarding.forward_stops_to_jobs()
signal.signal(signal.SIGTERM, lambda *_: None)
job = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)", "manus"])
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
threading.Thread(target=job.wait, daemon=True).start()
try:
    threading.Semaphore(0).acquire()
except KeyboardInterrupt:
    print("ends", flush=True)
"""


def run(code: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("held", ["the lock of its jobs", "the lock of its semaphore"])
def test_a_stop_never_waits_for_what_the_main_thread_holds(held: str) -> None:
    assert run(SCHEDULER.replace("HELD", repr(held))).split("\n")[:2] == ["goes on", "ends"]


def test_jobs_that_start_after_the_stop_are_stopped_too() -> None:
    assert "ends" in run(JOBS)


@pytest.mark.parametrize(
    "interrupt", ["default_int_handler", "SIG_IGN"]
)  # the other is that of `snakemake &`
def test_a_snakemake_that_misses_the_end_of_its_jobs_is_ended(interrupt: str) -> None:
    assert "ends" in run(LOST.replace("INTERRUPT", interrupt))
