"""Processes that make batches: how many there are, what they send, and when they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing.reduction import ForkingPickler

import psutil
import pytest
import torch

from manus.errors import DataError, ManusError
from manus.guards.run import RUN
from manus.guards.settings import GuardSettings
from manus.training.batches.beside import Beside, Copied, chosen, decoding, told_plainly

# Starts two processes that wait for ever in their second batch, and says who they are.
PARENT = """
import os, time
from torch.utils.data import DataLoader, Dataset
from manus.training.batches.beside import Beside

class Slow(Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, index):
        time.sleep(1000 * (index > 1))
        return os.getpid(), os.getpgid(0)

batches = iter(DataLoader(Slow(), batch_size=None, **Beside(2, 1).options))
print(os.getpgid(0), *[number for _ in range(2) for number in next(batches)], flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize(
    ("processors", "has_accelerator", "processes"),
    [(1, False, 0), (2, False, 1), (8, False, 4), (1, True, 1), (2, True, 1), (4, True, 3), (64, True, 4)],
)
def test_one_processor_is_left_to_the_training(
    processors: int, has_accelerator: bool, processes: int
) -> None:
    assert chosen(processors, has_accelerator) == processes


def test_a_machine_may_say_how_many_and_ranks_share_its_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RUN, "guards", GuardSettings(decoding_processes=3))
    assert decoding() == Beside(3, 1)
    monkeypatch.setattr(RUN, "guards", GuardSettings())
    monkeypatch.setattr("manus.training.batches.beside.processors", lambda: 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert decoding() == Beside(1, 2)


def test_a_batch_is_sent_as_it_is_without_shared_memory() -> None:
    made = Copied(
        pixels=torch.arange(24, dtype=torch.float32).reshape(2, 3, 4), mask=torch.tensor([True]), longest=7
    )
    sent = bytes(ForkingPickler.dumps(made))
    found = ForkingPickler.loads(sent)
    assert b"shm" not in sent and b"rebuild_storage" not in sent
    assert found.keys() == made.keys() and found["longest"] == 7
    for name in ("pixels", "mask"):
        assert found[name].dtype == made[name].dtype and torch.equal(found[name], made[name])


def test_processes_end_with_a_parent_that_is_killed_and_hear_nothing_meant_for_its_group() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert parent.stdout is not None
    own, *others = map(int, parent.stdout.readline().split())
    pids, groups = others[::2], others[1::2]
    assert len(set(pids)) == 2 and own not in groups
    os.killpg(own, signal.SIGKILL)
    parent.wait()
    began = time.monotonic()
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
        assert (
            time.monotonic() - began < 2
        )  # torch's own watchdog looks every five seconds, and not while it computes
        time.sleep(0.02)


def test_what_went_wrong_elsewhere_is_told_as_if_it_had_gone_wrong_here() -> None:
    with pytest.raises(DataError, match=r"^image a.png: torn$"), told_plainly("cot", "decodes media"):
        raise DataError(
            "Caught DataError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
            "manus.errors.DataError: image a.png: torn\n"
        )
    with pytest.raises(DataError, match=r"^as it was$"), told_plainly("cot", "decodes media"):
        raise DataError("as it was")
    with (
        pytest.raises(ManusError, match="cot: the process that decodes media died"),
        told_plainly("cot", "decodes media"),
    ):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")
    with pytest.raises(RuntimeError, match=r"^another$"), told_plainly("cot", "decodes media"):
        raise RuntimeError("another")
