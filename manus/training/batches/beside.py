"""Makes batches in processes beside the training, a few ahead of it. Knows nothing of what is in them.

The processes are forked: they share the memory of what is open, and begin at once. They compute on the CPU
alone, so that a parent may hold CUDA.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from manus.errors import DataError, ManusError
from manus.guards.requests import die_with
from manus.guards.run import RUN
from manus.guards.workers import processors

MOST_DECODING = 4
DIED = "DataLoader worker"  # how torch begins what it says of a process that ended
WRAPPED = "Caught "  # and what it passes on


@dataclass(frozen=True, slots=True)
class Beside:
    """How many processes make batches, and how many each makes ahead; without any they are made here."""

    processes: int = 0
    ahead: int = 2

    @property
    def options(self) -> dict[str, Any]:
        """What a DataLoader is told."""
        if not self.processes:
            return {}
        return {
            "num_workers": self.processes,
            "prefetch_factor": self.ahead,
            "multiprocessing_context": "fork",
            "worker_init_fn": partial(settle, os.getpid()),
        }


def decoding() -> Beside:
    """Return how media are decoded on this machine, for each of the ranks on it."""
    wanted = RUN.guards.decoding_processes
    if wanted == "auto":
        ranks_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        wanted = chosen(processors() // ranks_here, torch.cuda.is_available())
    return Beside(wanted, 2 if wanted == 1 else 1)


def chosen(available: int, has_accelerator: bool) -> int:
    """Return how many processes decode: one processor is left to training, and the only one is not shared.

    Args:
        available: processors for this rank.
        has_accelerator: whether the training computes elsewhere, so that decoding takes nothing from it.
    """
    least = 1 if has_accelerator else 0
    return min(MOST_DECODING, max(least, available - 1))


def settle(parent: int, worker: int) -> None:
    """Make a process one that ends with its parent, however that ends, and hears no signals meant for it.

    Signals to a group (Ctrl-C, a scheduler) are answered by the parent at its next safe point.
    """
    os.setpgid(0, 0)
    if not die_with(parent, signal.SIGKILL):
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Copied(dict[str, Any]):
    """A batch that goes through a pipe as bytes.

    Shared memory is small in many containers, and ends a process there.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        arrays = {name: value.numpy() if torch.is_tensor(value) else value for name, value in self.items()}
        return _with_tensors, (arrays,)


def _with_tensors(arrays: dict[str, Any]) -> Copied:
    return Copied(
        {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for name, value in arrays.items()
        }
    )


@contextmanager
def told_plainly(title: str, doing: str) -> Iterator[None]:
    """Say what went wrong in a process beside as if it had gone wrong here.

    Args:
        title: of the stage.
        doing: what the processes do, as in "decodes media".

    Raises:
        DataError: what one of them raised.
        ManusError: one was killed.
    """
    try:
        yield
    except DataError as error:
        told = str(error)
        if not told.startswith(WRAPPED):
            raise
        raise DataError(
            told.rpartition(f"{DataError.__name__}: ")[2].strip()
        ) from error  # without torch's trace
    except RuntimeError as error:
        if DIED not in str(error):
            raise
        raise ManusError(
            f"{title}: the process that {doing} died; is the memory full? The next run continues"
        ) from error
