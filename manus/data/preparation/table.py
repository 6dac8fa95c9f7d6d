"""Writes down which tokens of finished shards train, and into which rows they are packed.

The token files are taken over as they are; what does not train stays in them and is not in the table. Knows nothing of
rows of data.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt

from manus.data.order.mixing import times_seen
from manus.data.order.packing import write_rows
from manus.data.preparation.distribution import Histogram, histogram, quantiles
from manus.data.preparation.leaks import ASKED, asked_by, check_no_leak
from manus.data.preparation.shards import FATES, TOKENS, Shard
from manus.data.preparation.split_on_disk import Split, is_among, prompts_of
from manus.data.prepared.samples import read_held_out
from manus.data.prepared.sharded import LAYOUT, LENGTHS, STARTS, ShardedSamples
from manus.data.settings import DataSettings, Source
from manus.errors import DataError
from manus.files import write_json
from manus.guards.progress import progress
from manus.guards.run import RUN


@dataclass(frozen=True, slots=True)
class Table:
    """What was written: samples, tokens and rows of an epoch, and how often each source is seen in it."""

    samples: int
    tokens: int
    rows: int
    learned_share: float
    quantiles: dict[str, int]
    histogram: Histogram
    left_aside: dict[str, int]
    times: list[float]


def write_table(
    shards: Sequence[Shard], chosen: Split, sources: Sequence[Source], settings: DataSettings,
    read_share: Sequence[float], seed: int, folder: Path,
) -> Table:  # fmt: skip
    """Write the table of training samples, their packed rows and the layout; take the token files over.

    Args:
        shards: in the order of the data.
        chosen: which of their samples train.
        sources: with their weights.
        settings: with what the weights mean, and how many samples are wanted.
        read_share: the share of each source's rows that was read.
        seed: of the draws.
        folder: of the artifact; it holds the held-out samples already.

    Raises:
        DataError: nothing is left to train on, or a prompt is on both sides.
    """
    aside: Counter[str] = Counter({"exact duplicate": chosen.repeated.marked})
    samples, pieces, tokens, learned = ([0] * len(sources) for _ in range(4))
    bases = list(accumulate((shard.told.tokens for shard in shards), initial=0))
    with (folder / STARTS).open("wb") as starts, (folder / LENGTHS).open("wb") as lengths:
        for shard, base, (found, trains, asked) in zip(shards, bases, chosen.trained(shards), strict=False):
            aside["same prompt as a held-out sample"] += asked
            for fate, reason in FATES.items():
                aside[reason] += int((found["fate"][trains] == fate).sum())
            of_shard = shard.pieces()
            of_shard = of_shard[trains[of_shard["sample"]]]
            starts.write((of_shard["start"] + np.uint64(base)).astype("<i8").tobytes())
            lengths.write(of_shard["length"].astype("<i4").tobytes())
            asked_by([found["prompt"][of_shard["sample"]]], folder / ASKED)
            samples[shard.task.source] += int(trains.sum())
            learned[shard.task.source] += int(of_shard["learned"].sum())
            pieces[shard.task.source] += len(of_shard)
            tokens[shard.task.source] += int(of_shard["length"].sum())
    if not sum(samples):
        raise DataError("no training samples are left beside the held-out ones; give more data or a smaller held_out")
    if not sum(pieces):
        raise DataError(
            f"every sample is longer than max_length {settings.max_length} tokens; raise it or set too_long: truncate"
        )
    times, beyond = _times(sources, settings, read_share, samples, tokens)
    aside["beyond sample_size"] = beyond
    files = _take_over(shards, folder)
    made = [{"samples": n, "tokens": t, "times": f} for n, t, f in zip(pieces, tokens, times, strict=True)]
    layout = {"version": 1, "max_length": settings.max_length, "seed": seed, "token_files": files, "sources": made}
    write_json(folder / LAYOUT, layout)
    check_places(shards, folder)
    check_no_leak(folder)
    counted, rows = _pack(folder, settings.max_length)
    left_aside = {reason: count for reason, count in aside.items() if count}
    seen, marked = (sum(t * n for t, n in zip(times, counts, strict=True)) for counts in (tokens, learned))
    return Table(
        int(counted.sum()), _total(counted), rows, round(marked / seen, 4), quantiles(counted), histogram(counted),
        left_aside, times,
    )  # fmt: skip


def _times(
    sources: Sequence[Source], settings: DataSettings, read_share: Sequence[float], samples: Sequence[int],
    tokens: Sequence[int],
) -> tuple[list[float], int]:  # fmt: skip
    """Return how often each source is seen, `sample_size` considered, and how many samples lie beyond that."""
    there = [count / share for count, share in zip(samples, read_share, strict=True)]  # about, had all been read
    sizes = tokens if settings.mix == "tokens" else samples
    sizes = [max(1, round(size / share)) if size else 0 for size, share in zip(sizes, read_share, strict=True)]
    times = times_seen([source.weight for source in sources], sizes, settings.mix, settings.until)
    epoch = sum(time * count for time, count in zip(times, there, strict=True))
    limit = settings.sample_size
    if not limit or limit >= epoch:
        return times, 0
    scaled = [time * limit / epoch / share for time, share in zip(times, read_share, strict=True)]
    return scaled, round(epoch) - limit


def _take_over(shards: Sequence[Shard], folder: Path) -> dict[str, int]:
    """Bring the shards' token files into a folder, by link where the disk is the same; return their names and sizes."""
    files = {}
    for number, shard in enumerate(shards):
        name = f"tokens-{number:06d}.int32"
        try:
            os.link(shard.folder / TOKENS, folder / name)
        except OSError:
            shutil.copyfile(shard.folder / TOKENS, folder / name)
        files[name] = shard.told.tokens
    return files


def check_places(shards: Sequence[Shard], folder: Path) -> None:
    """Look at the tokens that the table points at: none may be of a sample that asks what a held-out sample asks.

    Raises:
        DataError: one does.
    """
    samples, asked = ShardedSamples(folder), prompts_of(read_held_out(folder))
    begin = base = 0
    for shard in shards:
        RUN.cross("checking the split")
        pieces, end = shard.pieces(), base + shard.told.tokens
        last = _first_at(samples, end, begin)
        starts = samples.starts.between(begin, last) - base
        which = pieces["sample"][np.searchsorted(pieces["start"], starts.astype(np.uint64))]
        leaked = np.flatnonzero(is_among(shard.samples()["prompt"][which], asked))
        if len(leaked):
            raise DataError(
                f"{len(leaked)} training samples of {shard.task.name} ask what held-out samples ask; this must not be, "
                "please report it"
            )
        begin, base = last, end


def _first_at(samples: ShardedSamples, token: int, low: int) -> int:
    """Return the first entry of the table, from `low` on, that begins at a token or after it."""
    high = len(samples.starts)
    while low < high:
        middle = (low + high) // 2
        if samples.starts.between(middle, middle + 1)[0] < token:
            low = middle + 1
        else:
            high = middle
    return low


def _pack(folder: Path, capacity: int) -> tuple[npt.NDArray[np.int64], int]:
    """Write the packed rows; return how many samples there are of each length, and how many rows."""
    samples = ShardedSamples(folder)
    counted = np.zeros(capacity + 1, dtype=np.int64)

    def lengths_at(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        lengths = samples.lengths_at(places)
        counted[:] += np.bincount(lengths, minlength=len(counted))
        return lengths

    with progress("pack", len(samples), "samples") as advance:

        def cross(done: int) -> None:
            RUN.cross("packing")
            advance(done)

        return counted, write_rows(folder, len(samples), lengths_at, capacity, cross)


def _total(counted: npt.NDArray[np.int64]) -> int:
    return int((counted * np.arange(len(counted))).sum())
