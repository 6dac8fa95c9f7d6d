"""Decides which samples train and which are held out, by what is described of each: digests, not texts or tokens.

Samples come in blocks: the pools of what is held in memory, or the shards of what is not. Memory holds the descriptions
of one block, and a bit for each sample.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from manus.data.preparation.duplicates import Bits, Digests, Marks, duplicates
from manus.data.sample import Sample
from manus.data.sample_digests import content_digest, halves, order_digest, prompt_digest
from manus.errors import DataError
from manus.guards.run import RUN

LARGEST_DEFAULT_HELD_OUT = 200
REPEATED, SAME_PROMPT, BEYOND = "exact duplicate", "same prompt as a held-out sample", "beyond sample_size"
# A sample as the split sees it: where it is found again, 128 bits of the digests of all it says and of what it asks, its
# place in the draw of the held-out samples, and its fate (`fitting.FATES`).
SAMPLE = np.dtype([("row", "<u8"), ("content", "<u8", 2), ("prompt", "<u8", 2), ("order", "<u8"), ("fate", "u1")])

Described = npt.NDArray[Any]  # of SAMPLE


def described(row: int, sample: Sample, seed: int, fate: int = 0) -> tuple[Any, ...]:
    """Return what is told of a sample, as a SAMPLE."""
    asked = prompt_digest(sample)
    return row, halves(content_digest(sample)), halves(asked), int(order_digest(seed, asked)[:16], 16), fate


class Block(Protocol):
    """Samples of one source that follow each other. `is_apart`: a generator made them to be held out, and for no more."""

    @property
    def source(self) -> int:
        """Which source they are of."""

    @property
    def is_apart(self) -> bool:
        """Whether they were made to be held out."""

    @property
    def count(self) -> int:
        """How many there are."""

    def samples(self) -> Described:
        """Return what is told of each."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample lies: in which block, which of its samples it is, and where it is found again."""

    block: int
    sample: int
    row: int


@dataclass(frozen=True)
class Split:
    """Which samples are held out, and which of the others do not train either.

    `places` says where each held-out sample came from. `first` is the number of each block's first sample; `asked` and
    `said` are the digests of what held-out samples ask and of all that they say.
    """

    held_out: list[Sample]
    places: list[Place]
    asked: Digests
    said: Digests
    repeated: Bits
    first: list[int]

    def trained(self, blocks: Iterable[Block]) -> Iterator[tuple[Described, Marks, int]]:
        """Yield, block by block, the samples, which train, and how many others share a held-out one's prompt."""
        for first, block in zip(self.first, blocks, strict=True):
            RUN.cross("choosing samples")
            samples = block.samples()
            if block.is_apart:
                yield samples, np.zeros(len(samples), dtype=bool), 0
                continue
            is_distinct = ~self.repeated.between(first, first + len(samples))
            is_asked = is_among(samples["prompt"], self.asked)
            others = int((is_distinct & is_asked & ~is_among(samples["content"], self.said)).sum())
            yield samples, is_distinct & ~is_asked, others


def split(
    blocks: Sequence[Block],
    sources: int,
    held_out: int | None,
    sample: Callable[[Place], Sample],
    seed: int,
    work: Path,
) -> Split:
    """Split samples into those that train and those that are held out.

    Exact duplicates are dropped. Held-out samples are drawn by prompt, so that a prompt that comes twice stays on one
    side.

    Args:
        blocks: in the order of the data.
        sources: how many there are.
        held_out: how many to hold out; none: a tenth, at most 200.
        sample: returns a sample by its place.
        seed: of the draw.
        work: a folder for what does not fit into memory.

    Raises:
        DataError: too few samples for both sides.
        Interrupted: a signal came.
    """
    counts = [0 if block.is_apart else block.count for block in blocks]
    first = list(accumulate(counts, initial=0))[:-1]
    repeated = duplicates((b.samples()["content"] for b in blocks if not b.is_apart), sum(counts), work)
    distinct = [0] * sources
    for begin, count, block in zip(first, counts, blocks, strict=True):
        distinct[block.source] += count - int(repeated.between(begin, begin + count).sum())
    apart = {block.source for block in blocks if block.is_apart}
    wanted, parts = shares(distinct, [source in apart for source in range(sources)], held_out)
    tested: dict[str, tuple[Sample, Place]] = {}  # those that differ
    for source, share in enumerate(parts):
        for place in drawn(blocks, first, repeated, source, share, source in apart):
            one = sample(place)
            tested.setdefault(content_digest(one), (one, place))
    chosen = list(tested.values())[:wanted]
    samples = [one for one, _ in chosen]
    said = np.array([halves(content_digest(one)) for one in samples], dtype=np.uint64).reshape(-1, 2)
    return Split(samples, [place for _, place in chosen], prompts_of(samples), said, repeated, first)


def shares(distinct: Sequence[int], own_held_out: Sequence[bool], held_out: int | None) -> tuple[int, list[int]]:
    """Return how many samples to hold out, and how many of each source.

    Args:
        distinct: how many samples differ, by source.
        own_held_out: which sources made some to be held out.
        held_out: how many are wanted; none: a tenth, at most 200.

    Raises:
        DataError: there are too few for both sides.
    """
    total = sum(distinct)
    wanted = held_out or min(LARGEST_DEFAULT_HELD_OUT, max(1, total // 10))
    if total < 2 or ((held_out or 0) >= total and not all(own_held_out)):
        raise DataError(f"{total} distinct samples are too few to hold out {wanted} and train on the rest")
    return wanted, [max(1, round(wanted * count / total)) if count else 0 for count in distinct]


def drawn(
    blocks: Sequence[Block], first: Sequence[int], repeated: Bits, source: int, share: int, is_apart: bool = False
) -> list[Place]:
    """Draw samples of one source to hold out, by the digests of their prompts: adding rows elsewhere moves few of them."""
    best: npt.NDArray[Any] = np.empty(0, dtype=[("order", "<u8"), ("block", "<u8"), ("sample", "<u8"), ("row", "<u8")])
    for index, block in enumerate(blocks):
        if block.source != source or block.is_apart != is_apart:
            continue
        samples = block.samples()
        kept = np.arange(len(samples))
        if not is_apart:
            kept = np.flatnonzero(~repeated.between(first[index], first[index] + len(samples)))
        found = np.empty(len(kept), dtype=best.dtype)
        found["order"], found["row"] = samples["order"][kept], samples["row"][kept]
        found["block"], found["sample"] = index, kept
        best = np.concatenate([best, found])
        best = best[np.argsort(best["order"], kind="stable")][:share]
    return [Place(int(one["block"]), int(one["sample"]), int(one["row"])) for one in best]


def prompts_of(samples: Sequence[Sample]) -> Digests:
    """Return the digests of what samples ask."""
    return np.array([halves(prompt_digest(sample)) for sample in samples], dtype=np.uint64).reshape(-1, 2)


def is_among(digests: Digests, asked: Digests) -> Marks:
    """Tell which digests are among a few others."""
    marks: Marks = np.isin(digests[:, 0], asked[:, 0])
    known = {tuple(pair) for pair in asked.tolist()}
    for index in np.flatnonzero(marks):
        marks[index] = tuple(digests[index].tolist()) in known
    return marks


def check_some_train(count: int) -> None:
    """Refuse data of which nothing is left to train on.

    Raises:
        DataError: there is nothing.
    """
    if not count:
        raise DataError("no training samples are left beside the held-out ones; give more data or a smaller held_out")


@dataclass
class Pool:
    """The samples of one source, in memory. A generator's held-out samples come apart from the others."""

    title: str
    weight: float
    samples: list[Sample]
    held_out: list[Sample] | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The samples to train on, in file order, and those held out; what was left aside, by reason."""

    train: list[Sample]
    held_out: list[Sample]
    left_aside: dict[str, int] = field(default_factory=dict)


class _InMemory:
    """A side of a pool as a block."""

    def __init__(self, source: int, samples: Sequence[Sample], is_apart: bool, seed: int) -> None:
        self.source, self.is_apart, self.content = source, is_apart, samples
        records = [described(row, sample, seed) for row, sample in enumerate(samples)]
        self.records: Described = np.array(records, dtype=SAMPLE)

    @property
    def count(self) -> int:
        return len(self.records)

    def samples(self) -> Described:
        return self.records


def select(pools: Sequence[Pool], held_out: int | None, sample_size: int, seed: int, work: Path) -> Selection:
    """Split pools into training and held-out samples.

    A weight of 2 shows each of a source's samples twice per epoch, 0.5 half of them. `sample_size` limits the training
    samples, drawn by `seed`; 0 takes all.

    Args:
        pools: one for each source.
        held_out, seed, work: as `split` takes them.
        sample_size: how many samples are to train, at most.

    Raises:
        DataError: too few samples for both sides.
    """
    blocks = [_InMemory(source, pool.samples, False, seed) for source, pool in enumerate(pools)]
    blocks += [_InMemory(s, pool.held_out, True, seed) for s, pool in enumerate(pools) if pool.held_out is not None]
    chosen = split(blocks, len(pools), held_out, lambda place: blocks[place.block].content[place.sample], seed, work)
    aside, train = {REPEATED: chosen.repeated.marked, SAME_PROMPT: 0}, list[Sample]()
    for index, (block, (_, trains, others)) in enumerate(zip(blocks, chosen.trained(blocks), strict=True)):
        if block.is_apart:
            continue
        aside[SAME_PROMPT] += others
        own = [block.content[place] for place in np.flatnonzero(trains).tolist()]
        train += _weighted(own, pools[index].weight, random.Random(f"{seed}:weight:{index}"))
    check_some_train(len(train))
    if sample_size and sample_size < len(train):
        kept = sorted(random.Random(f"{seed}:sample").sample(range(len(train)), sample_size))
        aside[BEYOND] = len(train) - sample_size
        train = [train[index] for index in kept]
    return Selection(train, chosen.held_out, {reason: count for reason, count in aside.items() if count})


def _weighted(samples: list[Sample], weight: float, draw: random.Random) -> list[Sample]:
    whole, part = divmod(weight, 1)
    extra = sorted(draw.sample(range(len(samples)), round(part * len(samples))))
    return samples * int(whole) + [samples[index] for index in extra]
