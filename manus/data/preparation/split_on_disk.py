"""Decides, by digests on disk, which samples of large data train and which are held out; as `selection` does in memory.

Memory holds one shard's records, one part of the digests and a bit for each sample. Knows nothing of rows or tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manus.data.preparation.shards import Shard
from manus.data.preparation.split import LARGEST_DEFAULT_HELD_OUT, shares_of
from manus.data.sample import Sample
from manus.data.sample_digests import content_digest, halves, order_digest, prompt_digest
from manus.errors import DataError
from manus.guards.run import RUN

SAMPLES_IN_PART = 1 << 20
DIGEST = np.dtype([("digest", "<u8", 2), ("number", "<u8")])

Digests = npt.NDArray[np.uint64]  # [N, 2]
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample lies: in which shard, and which of its samples it is."""

    shard: int
    sample: int
    row: int


class Bits:
    """A mark for each sample, an eighth of a byte each."""

    def __init__(self, count: int) -> None:
        self.bytes = np.zeros(-(-count // 8), dtype=np.uint8)
        self.marked = 0

    def mark(self, numbers: npt.NDArray[np.uint64]) -> None:
        """Mark samples by number, each of them once."""
        np.bitwise_or.at(self.bytes, (numbers >> np.uint64(3)).astype(np.int64), _BIT[numbers & np.uint64(7)])
        self.marked += len(numbers)

    def between(self, first: int, last: int) -> Marks:
        """Return the marks of the samples from `first` up to `last`."""
        begin = first // 8
        bits = np.unpackbits(self.bytes[begin : -(-last // 8)], bitorder="little")
        return bits[first - 8 * begin : last - 8 * begin].astype(bool)


_BIT = np.left_shift(np.uint8(1), np.arange(8, dtype=np.uint8))


def duplicates(shards: Sequence[Shard], work: Path) -> Bits:
    """Mark the samples whose content stands in an earlier one.

    The digests are divided by their first bits into files, each of which is sorted by itself.

    Args:
        shards: in the order of the samples.
        work: a folder for the files.
    """
    total = sum(shard.told.samples for shard in shards)
    found, parts = Bits(total), max(1, -(-total // SAMPLES_IN_PART))
    work.mkdir(parents=True, exist_ok=True)
    paths = [work / f"digests-{part:05d}.bin" for part in range(parts)]
    for path in paths:
        path.unlink(missing_ok=True)
    number = 0
    for shard in shards:
        RUN.cross("looking for duplicates")
        samples = shard.samples()
        records = np.empty(len(samples), dtype=DIGEST)
        records["digest"], records["number"] = samples["content"], np.arange(number, number + len(samples))
        part_of = (records["digest"][:, 0] >> np.uint64(32)) * np.uint64(parts) >> np.uint64(32)
        order = np.argsort(part_of, kind="stable")
        for part, some in zip(*_grouped(part_of[order], records[order]), strict=True):
            with paths[part].open("ab") as stream:
                stream.write(some.tobytes())
        number += len(samples)
    for path in paths:
        RUN.cross("looking for duplicates")
        if path.exists():
            records = np.fromfile(path, dtype=DIGEST)
            digest = records["digest"]
            records = records[np.lexsort((records["number"], digest[:, 1], digest[:, 0]))]
            is_repeated = (records["digest"][1:] == records["digest"][:-1]).all(axis=1)
            found.mark(records["number"][1:][is_repeated])
            path.unlink()
    return found


def _grouped(keys: npt.NDArray[Any], values: npt.NDArray[Any]) -> tuple[list[int], list[npt.NDArray[Any]]]:
    """Return sorted keys without repeats, and the values of each."""
    distinct, first = np.unique(keys, return_index=True)
    return distinct.tolist(), np.split(values, first[1:]) if len(values) else []


def shares(distinct: Sequence[int], own_held_out: Sequence[bool], held_out: int | None) -> list[int]:
    """Return how many samples to hold out of each source, as `selection.select` does.

    Raises:
        DataError: there are too few for both sides.
    """
    total = sum(distinct)
    wanted = held_out or min(LARGEST_DEFAULT_HELD_OUT, max(1, total // 10))
    if total < 2 or ((held_out or 0) >= total and not all(own_held_out)):
        raise DataError(f"{total} distinct samples are too few to hold out {wanted} and train on the rest")
    return shares_of(wanted, distinct)


def drawn(shards: Sequence[Shard], first: Sequence[int], repeated: Bits, source: int, share: int) -> list[Place]:
    """Draw samples of one source to hold out, by the digests of their prompts."""
    best: npt.NDArray[Any] = np.empty(0, dtype=[("order", "<u8"), ("shard", "<u8"), ("sample", "<u8"), ("row", "<u8")])
    for index, shard in enumerate(shards):
        if shard.task.source != source:
            continue
        samples = shard.samples()
        kept = np.flatnonzero(~repeated.between(first[index], first[index] + len(samples)))
        found = np.empty(len(kept), dtype=best.dtype)
        found["order"], found["row"] = samples["order"][kept], samples["row"][kept]
        found["shard"], found["sample"] = index, kept
        best = np.concatenate([best, found])
        best = best[np.argsort(best["order"], kind="stable")][:share]
    return [Place(int(one["shard"]), int(one["sample"]), int(one["row"])) for one in best]


def without_repeats(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples that differ."""
    return list({content_digest(sample): sample for sample in samples}.values())


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


@dataclass(frozen=True)
class Split:
    """Which samples are held out, and which of the others do not train either.

    `first` is the number of each shard's first sample, `asked` and `said` are the digests of what held-out samples ask
    and of all that they say.
    """

    held_out: list[Sample]
    asked: Digests
    said: Digests
    repeated: Bits
    first: list[int]

    def trained(self, shards: Sequence[Shard]) -> Iterator[tuple[npt.NDArray[Any], Marks, int]]:
        """Yield, shard by shard, the samples, which train, and how many others share a held-out one's prompt."""
        for first, shard in zip(self.first, shards, strict=True):
            RUN.cross("choosing samples")
            samples = shard.samples()
            is_distinct = ~self.repeated.between(first, first + len(samples))
            is_asked = is_among(samples["prompt"], self.asked)
            others = int((is_distinct & is_asked & ~is_among(samples["content"], self.said)).sum())
            yield samples, is_distinct & ~is_asked, others


def split(
    shards: Sequence[Shard], sources: int, held_out: int | None, own: Mapping[int, list[Sample]],
    sample: Callable[[int, int, int], Sample], seed: int, work: Path,
) -> Split:  # fmt: skip
    """Split the samples of shards as `selection.select` splits those in memory.

    Args:
        shards: in the order of the data.
        sources: how many there are.
        held_out: how many to hold out; none: a tenth, at most 200.
        own: held-out samples of the sources that bring some apart from the others.
        sample: returns the sample of a source, a file and a row.
        seed: of the draw.
        work: a folder for what does not fit into memory.

    Raises:
        DataError: too few samples for both sides.
    """
    first = list(accumulate((shard.told.samples for shard in shards), initial=0))[:-1]
    repeated = duplicates(shards, work)
    distinct = [0] * sources
    for begin, shard in zip(first, shards, strict=True):
        is_repeated = repeated.between(begin, begin + shard.told.samples)
        distinct[shard.task.source] += shard.told.samples - int(is_repeated.sum())
    parts = shares(distinct, [index in own for index in range(sources)], held_out)
    tested: list[Sample] = []
    for source, share in enumerate(parts):
        if source in own:
            tested += sorted(own[source], key=lambda s: order_digest(seed, prompt_digest(s)))[:share]
            continue
        for place in drawn(shards, first, repeated, source, share):
            tested.append(sample(source, shards[place.shard].task.file, place.row))
    tested = without_repeats(tested)
    said = np.array([halves(content_digest(one)) for one in tested], dtype=np.uint64).reshape(-1, 2)
    return Split(tested, prompts_of(tested), said, repeated, first)
