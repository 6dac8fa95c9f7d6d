"""Finds out if other programs use this process's processors, and so how its threads are to wait.

Between the parts of a computation threads wait microseconds. One that spins goes on at once, one that sleeps
must be woken; but where another program runs on a core, the threads of the others spin in vain until it is
done. Measured on two cores with a model of a million weights: alone, a step takes 125 ms with spinning and
225 with sleep; beside a program that uses one core, 650 and 265.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SPINS = "20000"  # some tens of microseconds; longer spinning gains little and loses more beside others
SPIN_COUNT = "GOMP_SPINCOUNT"  # read by libgomp when torch is loaded
LEAST_SECONDS = 0.2  # the kernel counts in hundredths
MOST_USED = 0.3  # processors that others may use
STAT, QUOTA = Path("/proc/stat"), Path("/sys/fs/cgroup/cpu.max")
IDLE_COLUMNS = (3, 4)  # idle, waiting for disks
COLUMNS = 8  # user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in the first two


class Counters(NamedTuple):
    """Seconds since some start: on the clock, used of the processors, and of these used by this process."""

    clock: float
    used: float
    own: float


class Neighbours:
    """Looks at the processors from now on."""

    def __init__(self) -> None:
        self._began = counters()

    def used(self) -> float | None:
        """Return how many processors others have used since; None where the system does not tell."""
        if self._began is None:
            return None
        time.sleep(max(0.0, LEAST_SECONDS - (time.monotonic() - self._began.clock)))
        now = counters()
        if now is None:
            return None
        used, own = now.used - self._began.used, now.own - self._began.own
        return max(0.0, used - own) / (now.clock - self._began.clock)

    def choose_waiting(self) -> None:
        """Let threads spin while they wait where the processors are ours, else sleep.

        To be called before torch is loaded. Whoever has set GOMP_SPINCOUNT is obeyed.
        """
        if SPIN_COUNT in os.environ:
            return
        used = self.used()
        is_alone = used is not None and used <= MOST_USED and not is_limited()
        os.environ[SPIN_COUNT] = SPINS if is_alone else "0"


def counters(stat: Path = STAT, allowed: Iterable[int] | None = None) -> Counters | None:
    """Return the counters of the processors that this process may run on; None where the system has none."""
    names = {f"cpu{number}" for number in (allowed or os.sched_getaffinity(0))}
    try:
        lines = [line.split() for line in stat.read_text(encoding="ascii").splitlines()]
    except OSError:
        return None
    ticks = [list(map(int, line[1 : COLUMNS + 1])) for line in lines if line and line[0] in names]
    used = sum(sum(one) - sum(one[column] for column in IDLE_COLUMNS) for one in ticks)
    return Counters(time.monotonic(), used / os.sysconf("SC_CLK_TCK"), time.process_time()) if ticks else None


def is_limited(quota: Path = QUOTA) -> bool:
    """Tell whether a container gets less time than its processors have: spinning would take its own share."""
    try:
        most, period = quota.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return False
    return most != "max" and int(most) < int(period) * len(os.sched_getaffinity(0))
