"""Decides which samples train and which are held out, by a description of each: digests, not texts or tokens.

Samples come in blocks: the pools of what is held in memory, or the shards of what is not. Memory holds the
descriptions of one block, and a bit for each sample.
"""

from __future__ import annotations

import random
from collections import Counter
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
from manus.guards.ranks import say
from manus.guards.run import RUN

LARGEST_DEFAULT_HELD_OUT = 200
REPEATED, BEYOND = "exact duplicate", "beyond sample_size"
SAME_PROMPT, SAME_RECORDING = "same prompt as a held-out sample", "same recording as a held-out sample"
# A sample as the split sees it: where it is found again, 128 bits of the digests of all it says and of what
# it asks, its place in the draw of the held-out samples (by what it is a part of, then by what it asks), and
# its fate (`fitting.FATES`).
SAMPLE = np.dtype(
    [("row", "<u8"), ("content", "<u8", 2), ("prompt", "<u8", 2), ("order", "<u8", 2), ("fate", "u1")]
)
RECORDING = np.dtype(
    [("sample", "<u8"), ("digest", "<u8", 2)]
)  # which video or sound a sample holds a part of

Described = npt.NDArray[Any]  # of SAMPLE


def described(row: int, sample: Sample, seed: int, fate: int = 0) -> tuple[Any, ...]:
    """Return what is told of a sample, as a SAMPLE."""
    asked = prompt_digest(sample)
    recordings = set() if _is_in_pieces(sample) else recordings_of(sample)
    order = tuple(int(order_digest(seed, by)[:16], 16) for by in (min(recordings, default=asked), asked))
    return row, halves(content_digest(sample)), halves(asked), order, fate


def recordings_of(sample: Sample) -> set[str]:
    """Return the videos and sounds of which a sample holds parts, by content digests; whole ones are none."""
    digests = (medium["digest"].split(" ") for medium in sample.get("media", []))
    return {recording for recording, *part in digests if part}


def _is_in_pieces(sample: Sample) -> bool:
    """Tell whether a sample begins with several pieces of a sound that is too long to be heard at once."""
    digests = [medium["digest"] for medium in sample.get("media", [])]
    return len(digests) > 1 and " 0-" in digests[0]


class Block(Protocol):
    """Samples of one source that follow each other. `is_apart`: a generator made them only to be held out."""

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

    def recordings(self) -> npt.NDArray[Any]:
        """Return, as RECORDING, what they are parts of."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample lies: in which block, which of its samples it is, and where it is found again."""

    block: int
    sample: int
    row: int


@dataclass(frozen=True)
class Split:
    """Which samples are held out, and which of the others do not train either.

    `first` is the number of each block's first sample; `asked`, `said` and `recorded` are the digests of what
    held-out samples ask, of all that they say, and of what they are parts of. `is_shared`: parts of a
    recording stand on both sides, since there is no other recording.
    """

    held_out: list[Sample]
    asked: Digests
    said: Digests
    recorded: Digests
    repeated: Bits
    first: list[int]
    is_shared: bool

    def trained(self, blocks: Iterable[Block]) -> Iterator[tuple[Described, Marks, dict[str, int]]]:
        """Yield, block by block, the samples, which train, and why others that are not held out do not."""
        for first, block in zip(self.first, blocks, strict=True):
            RUN.cross("choosing samples")
            samples = block.samples()
            if block.is_apart:
                yield samples, np.zeros(len(samples), dtype=bool), {}
                continue
            is_distinct = ~self.repeated.between(first, first + len(samples))
            is_asked = is_among(samples["prompt"], self.asked)
            same_prompt = is_distinct & is_asked & ~is_among(samples["content"], self.said)
            own = is_distinct & ~is_asked
            same_recording = own & holds_parts(block, self.recorded)
            if self.is_shared:
                same_recording[:] = False
            aside = {SAME_PROMPT: int(same_prompt.sum()), SAME_RECORDING: int(same_recording.sum())}
            yield samples, own & ~same_recording, aside


def holds_parts(block: Block, recorded: Digests) -> Marks:
    """Tell which samples of a block hold parts of some recordings."""
    marks = np.zeros(block.count, dtype=bool)
    recordings = block.recordings()
    marks[recordings["sample"][is_among(recordings["digest"], recorded)].astype(np.int64)] = True
    return marks


def split(
    blocks: Sequence[Block],
    sources: int,
    held_out: int | None,
    sample: Callable[[Place], Sample],
    seed: int,
    work: Path,
) -> Split:
    """Split samples into those that train and those that are held out.

    Exact duplicates are dropped. Held-out samples are drawn by prompt, so that a prompt that comes twice
    stays on one side; parts of a video or sound are drawn by the whole, and stay on one side as long as there
    is another.

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
    parts = shares(distinct, [source in apart for source in range(sources)], held_out)
    tested: dict[str, Sample] = {}  # those that differ
    for source, share in enumerate(parts):
        for place in drawn(blocks, first, repeated, source, share, source in apart):
            one = sample(place)
            tested.setdefault(content_digest(one), one)
    samples = list(tested.values())
    said = _as_digests(map(content_digest, samples))
    recorded = _as_digests(sorted({recording for one in samples for recording in recordings_of(one)}))
    is_shared = len(recorded) > 0 and all(
        bool((holds_parts(block, recorded) | repeated.between(begin, begin + block.count)).all())
        for begin, block in zip(first, blocks, strict=True)
        if not block.is_apart
    )
    return Split(samples, prompts_of(samples), said, recorded, repeated, first, is_shared)


def shares(distinct: Sequence[int], own_held_out: Sequence[bool], held_out: int | None) -> list[int]:
    """Return how many samples to hold out of each source.

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
    return shares_of(wanted, distinct)


def shares_of(wanted: int, sizes: Sequence[int]) -> list[int]:
    """Return how many samples each source holds out: by its size, but at least one of each that has any.

    Together they are about as many as are wanted, and more only where there are more sources than that.
    """
    total = sum(sizes)
    shares = [max(1, round(wanted * size / total)) if size else 0 for size in sizes]
    while sum(shares) > wanted and max(shares) > 1:
        shares[shares.index(max(shares))] -= 1
    return shares


def drawn(
    blocks: Sequence[Block],
    first: Sequence[int],
    repeated: Bits,
    source: int,
    share: int,
    is_apart: bool = False,
) -> list[Place]:
    """Draw samples of one source to hold out, by the digests of their prompts, or of what they are parts of.

    Adding rows elsewhere moves few of them.
    """
    best: npt.NDArray[Any] = np.empty(
        0, dtype=[("order", "<u8", 2), ("block", "<u8"), ("sample", "<u8"), ("row", "<u8")]
    )
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
        best = best[np.lexsort((best["order"][:, 1], best["order"][:, 0]))][:share]
    return [Place(int(one["block"]), int(one["sample"]), int(one["row"])) for one in best]


def prompts_of(samples: Sequence[Sample]) -> Digests:
    """Return the digests of what samples ask."""
    return _as_digests(map(prompt_digest, samples))


def _as_digests(found: Iterable[str]) -> Digests:
    return np.array([halves(digest) for digest in found], dtype=np.uint64).reshape(-1, 2)


def is_among(digests: Digests, asked: Digests) -> Marks:
    """Tell which digests are among a few others."""
    marks: Marks = np.isin(digests[:, 0], asked[:, 0])
    known = {tuple(pair) for pair in asked.tolist()}
    for index in np.flatnonzero(marks):
        marks[index] = tuple(digests[index].tolist()) in known
    return marks


def tell_shared(is_shared: bool) -> None:
    """Say that parts of one recording stand on both sides, where they do."""
    if is_shared:
        say(
            "all samples are parts of what is held out: "
            "parts of one recording stand on both sides of the split"
        )


def check_some_train(count: int) -> None:
    """Refuse data of which nothing is left to train on.

    Raises:
        DataError: there is nothing.
    """
    if not count:
        raise DataError(
            "no training samples are left beside the held-out ones; give more data or a smaller held_out"
        )


@dataclass
class Pool:
    """The samples of one source, in memory. A generator's held-out samples come apart from the others."""

    title: str
    weight: float
    samples: list[Sample]
    held_out: list[Sample] | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The samples to train on, in file order, and those held out; what was left aside, by reason.

    `shares_recordings` tells that parts of a recording stand on both sides, since there is no other
    recording.
    """

    train: list[Sample]
    held_out: list[Sample]
    left_aside: dict[str, int] = field(default_factory=dict)
    shares_recordings: bool = False


class _InMemory:
    """A side of a pool as a block."""

    def __init__(self, source: int, samples: Sequence[Sample], is_apart: bool, seed: int) -> None:
        self.source, self.is_apart, self.content = source, is_apart, samples
        records = [described(row, sample, seed) for row, sample in enumerate(samples)]
        self.records: Described = np.array(records, dtype=SAMPLE)
        parts = [
            (row, halves(one)) for row, sample in enumerate(samples) for one in sorted(recordings_of(sample))
        ]
        self.parts = np.array(parts, dtype=RECORDING)

    @property
    def count(self) -> int:
        return len(self.records)

    def samples(self) -> Described:
        return self.records

    def recordings(self) -> npt.NDArray[Any]:
        return self.parts


def select(pools: Sequence[Pool], held_out: int | None, sample_size: int, seed: int, work: Path) -> Selection:
    """Split pools into training and held-out samples.

    A weight of 2 shows each of a source's samples twice per epoch, 0.5 half of them. `sample_size` limits the
    training samples, drawn by `seed`; 0 takes all.

    Args:
        pools: one for each source.
        held_out, seed, work: as `split` takes them.
        sample_size: how many samples are to train, at most.

    Raises:
        DataError: too few samples for both sides.
    """
    blocks = [_InMemory(source, pool.samples, False, seed) for source, pool in enumerate(pools)]
    blocks += [
        _InMemory(s, pool.held_out, True, seed) for s, pool in enumerate(pools) if pool.held_out is not None
    ]
    chosen = split(
        blocks, len(pools), held_out, lambda place: blocks[place.block].content[place.sample], seed, work
    )
    aside, train = Counter({REPEATED: chosen.repeated.marked}), list[Sample]()
    for index, (block, (_, trains, others)) in enumerate(zip(blocks, chosen.trained(blocks), strict=True)):
        if block.is_apart:
            continue
        aside.update(others)
        own = [block.content[place] for place in np.flatnonzero(trains).tolist()]
        train += _weighted(own, pools[index].weight, random.Random(f"{seed}:weight:{index}"))
    check_some_train(len(train))
    if sample_size and sample_size < len(train):
        kept = sorted(random.Random(f"{seed}:sample").sample(range(len(train)), sample_size))
        aside[BEYOND] = len(train) - sample_size
        train = [train[index] for index in kept]
    left_aside = {reason: count for reason, count in aside.items() if count}
    return Selection(train, chosen.held_out, left_aside, chosen.is_shared)


def _weighted(samples: list[Sample], weight: float, draw: random.Random) -> list[Sample]:
    whole, part = divmod(weight, 1)
    extra = sorted(draw.sample(range(len(samples)), round(part * len(samples))))
    return samples * int(whole) + [samples[index] for index in extra]
