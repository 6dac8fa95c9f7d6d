"""The order in which large or mixed data are seen: shuffled each epoch, known anywhere, continued at once.

Where a run stands is an epoch and a number of batches, both in Trainer's state; nothing else is saved. Knows
row numbers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import accelerate
import numpy as np
from torch.utils.data import DataLoader, Sampler
from transformers import trainer as transformers_trainer

from manus.data.order.shuffle import Permutation
from manus.training.batches.beside import Beside

PLACES_AT_ONCE = 4096


class Batches(Sampler[list[int]]):
    """The batches of one rank, in an order of its own for each epoch, beginning anywhere."""

    def __init__(self, size: int, seed: int, rank: int, world: int) -> None:
        self.size, self.seed, self.rank, self.world = size, seed, rank, world
        self.epoch = self.begin = 0

    @property
    def sampler(self) -> Batches:
        """What accelerate, with several ranks, tells the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew for an epoch."""
        self.epoch = epoch

    def skip(self, batches: int) -> None:
        """Begin the next iteration, and only that, after so many batches."""
        self.begin = batches

    def __len__(self) -> int:
        raise NotImplementedError


class ShuffledBatches(Batches):
    """Batches of rows in a shuffled order.

    With several ranks, batches are dealt out in turn, as accelerate does; the last ones are filled from the
    beginning of the epoch, so that all ranks see as many.
    """

    def __init__(
        self, rows: int, size: int, seed: int, rank: int = 0, world: int = 1, counts_on: bool = False
    ) -> None:
        super().__init__(size, seed, rank, world)
        self.rows, self.counts_on = rows, counts_on  # whether rows of later epochs have numbers of their own

    def __len__(self) -> int:
        return -(-self.rows // (self.size * self.world))

    def __iter__(self) -> Iterator[list[int]]:
        begin, self.begin = self.begin, 0
        order = Permutation(self.rows, self.seed, "epoch", self.epoch)
        at_once, before = max(1, PLACES_AT_ONCE // self.size), self.rows * self.epoch if self.counts_on else 0
        for first in range(begin, len(self), at_once):
            batches = np.arange(first, min(first + at_once, len(self)))
            places = ((batches * self.world + self.rank) * self.size)[:, None] + np.arange(self.size)
            is_there = places < (self.rows if self.world == 1 else np.inf)
            for numbers, kept in zip(
                order.at(places.ravel() % self.rows).reshape(places.shape), is_there, strict=True
            ):
                yield (numbers[kept] + before).tolist()


class MixedBatches(Batches):
    """Batches of rows of several kinds: each of one kind, the kinds in a shuffled order.

    The last batch of a kind may be smaller. At each step all ranks have batches of the same kind; they share
    its last rows evenly, and only where there are fewer rows than ranks does one come twice.
    """

    def __init__(self, counts: Sequence[int], size: int, seed: int, rank: int = 0, world: int = 1) -> None:
        """Take the rows of each kind; those of one kind follow each other.

        Args:
            counts: how many rows of each kind there are, none of them 0.
            size, seed, rank, world: of the batches, of all draws, and which of how many ranks this is.
        """
        super().__init__(size, seed, rank, world)
        self.ends = np.cumsum(counts)
        self.counts = [int(count) for count in counts]
        self.last = np.cumsum(
            [-(-count // (size * world)) for count in self.counts]
        )  # batches up to a kind's end

    def __len__(self) -> int:
        return int(self.last[-1])

    def __iter__(self) -> Iterator[list[int]]:
        begin, self.begin = self.begin, 0
        order = Permutation(len(self), self.seed, "kinds", self.epoch)
        rows = [
            Permutation(count, self.seed, "epoch", self.epoch, kind) for kind, count in enumerate(self.counts)
        ]
        for place in range(begin, len(self)):
            batch = order[place]
            kind = int(np.searchsorted(self.last, batch, side="right"))
            number = batch - (int(self.last[kind - 1]) if kind else 0)
            first = int(self.ends[kind]) - self.counts[kind]
            yield (rows[kind].at(self._places(number, self.counts[kind])) + first).tolist()

    def _places(self, number: int, count: int) -> list[int]:
        """Return this rank's places of one step among those of a kind."""
        begin = number * self.size * self.world
        there = range(begin, min(begin + self.size * self.world, count))
        return list(there[self.rank :: self.world]) or [there[self.rank % len(there)]]


def loader(
    accelerator: Any, rows: Any, args: Any, collate: Callable[[Any], Any], batches: Batches, beside: Beside
) -> Any:
    """Return a data loader over rows in batches, prepared as Trainer prepares its own.

    Args:
        accelerator: of the Trainer.
        rows: by number.
        args: of the Trainer.
        collate: makes a batch of rows.
        batches: of this rank.
        beside: the processes that make them.
    """
    made = DataLoader(
        rows,
        batch_sampler=batches,
        collate_fn=collate,
        pin_memory=args.dataloader_pin_memory,
        **beside.options,
    )
    prepared = accelerator.prepare(made)
    if (
        prepared.batch_sampler is not batches
    ):  # accelerate would deal out to the ranks what is one rank's already
        prepared.batch_sampler.num_processes, prepared.batch_sampler.process_index = 1, 0
    return prepared


@contextmanager
def skipping_at_once() -> Iterator[None]:
    """Let Trainer continue a shuffled order where it stopped; accelerate walks through all batches before."""
    before = transformers_trainer.skip_first_batches
    transformers_trainer.skip_first_batches = skip_first_batches
    try:
        yield
    finally:
        transformers_trainer.skip_first_batches = before


def skip_first_batches(made: Any, count: int = 0) -> Any:
    """Return a loader that begins after so many batches."""
    inner = getattr(made.batch_sampler, "batch_sampler", made.batch_sampler)
    if not isinstance(inner, Batches):
        return accelerate.skip_first_batches(made, count)
    inner.skip(count)
    return made
