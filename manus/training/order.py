"""The order in which large data are seen: shuffled anew for each epoch, known at any place, so continued at once.

Where a run stands is an epoch and a number of batches, both in Trainer's state; nothing else is saved. Knows row numbers
only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import accelerate
import numpy as np
from torch.utils.data import DataLoader, Sampler
from transformers import trainer as transformers_trainer

from manus.data.shuffle import Permutation
from manus.guards import ranks

PLACES_AT_ONCE = 4096


class ShuffledBatches(Sampler[list[int]]):
    """The batches of one rank in a shuffled order of rows, beginning anywhere.

    With several ranks, batches are dealt out in turn, as accelerate does; the last ones are filled from the beginning of
    the epoch, so that all ranks see as many.
    """

    def __init__(
        self, rows: int, size: int, seed: int, rank: int = 0, world: int = 1, counts_on: bool = False
    ) -> None:  # fmt: skip
        self.rows, self.size, self.seed, self.rank, self.world = rows, size, seed, rank, world
        self.counts_on = counts_on  # whether rows of later epochs have numbers of their own
        self.epoch = self.begin = 0

    def __len__(self) -> int:
        return -(-self.rows // (self.size * self.world))

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew for an epoch."""
        self.epoch = epoch

    def skip(self, batches: int) -> None:
        """Begin the next iteration, and only that, after so many batches."""
        self.begin = batches

    def __iter__(self) -> Iterator[list[int]]:
        begin, self.begin = self.begin, 0
        order = Permutation(self.rows, self.seed, "epoch", self.epoch)
        at_once, before = max(1, PLACES_AT_ONCE // self.size), self.rows * self.epoch if self.counts_on else 0
        for first in range(begin, len(self), at_once):
            batches = np.arange(first, min(first + at_once, len(self)))
            places = ((batches * self.world + self.rank) * self.size)[:, None] + np.arange(self.size)
            is_there = places < (self.rows if self.world == 1 else np.inf)
            for numbers, kept in zip(order.at(places.ravel() % self.rows).reshape(places.shape), is_there, strict=True):
                yield (numbers[kept] + before).tolist()


def loader(accelerator: Any, rows: Any, args: Any, collate: Callable[[Any], Any], ahead: int = 0) -> Any:
    """Return a data loader over rows in shuffled batches, prepared as Trainer prepares its own.

    Args:
        accelerator: of the Trainer.
        rows: by number.
        args: of the Trainer.
        collate: makes a batch of rows.
        ahead: how many batches a process of its own makes ahead; then rows of later epochs have numbers of their own.
    """
    batches = ShuffledBatches(
        len(rows), args.per_device_train_batch_size, args.seed, ranks.rank(), ranks.world_size(), ahead > 0
    )  # fmt: skip
    beside: dict[str, Any] = {"num_workers": 1, "prefetch_factor": ahead} if ahead else {}
    made = DataLoader(
        rows, batch_sampler=batches, collate_fn=collate, pin_memory=args.dataloader_pin_memory, **beside
    )  # fmt: skip
    prepared = accelerator.prepare(made)
    if prepared.batch_sampler is not batches:  # accelerate would deal out to the ranks what is one rank's already
        prepared.batch_sampler.num_processes, prepared.batch_sampler.process_index = 1, 0
    return prepared


@contextmanager
def skipping_at_once() -> Iterator[None]:
    """Let Trainer continue a shuffled order where it stopped; accelerate's own way walks through all batches before."""
    before = transformers_trainer.skip_first_batches
    transformers_trainer.skip_first_batches = skip_first_batches
    try:
        yield
    finally:
        transformers_trainer.skip_first_batches = before


def skip_first_batches(made: Any, count: int = 0) -> Any:
    """Return a loader that begins after so many batches."""
    inner = getattr(made.batch_sampler, "batch_sampler", made.batch_sampler)
    if not isinstance(inner, ShuffledBatches):
        return accelerate.skip_first_batches(made, count)
    inner.skip(count)
    return made
