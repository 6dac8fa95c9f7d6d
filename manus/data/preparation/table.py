"""Writes down what of finished shards trains: a table of pairs or prompts, or of tokens, with packed rows.

The token files are taken over as they are; what does not train stays in them and is not in the table. Knows
nothing of rows of data.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manus.data.order.mixing import Mixture, times_seen
from manus.data.order.packing import blocks, write_rows
from manus.data.preparation.leaks import ASKED, asked_by, check_no_leak
from manus.data.preparation.media_intake import renumbered
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.shard_media import ShardMedia
from manus.data.preparation.shards import TOKENS, Shard
from manus.data.preparation.split import (
    BEYOND,
    REPEATED,
    Split,
    check_some_train,
    is_among,
    prompts_of,
)
from manus.data.preparation.statistics import Lengths, check_some_fit
from manus.data.prepared.samples import TABLES, read_held_out, schema_of
from manus.data.prepared.sharded import LAYOUT, LENGTHS, STARTS, ShardedSamples
from manus.data.settings import DataSettings, Source
from manus.data.tokens.fitting import FATES
from manus.errors import DataError
from manus.files import write_json
from manus.guards.progress import progress
from manus.guards.run import RUN


@dataclass(frozen=True, slots=True)
class Table:
    """What was written: an epoch's lengths, why samples are left aside, and how often each source is seen.

    `media` are the numbers under which the media of shards are kept; `rows` is how many rows the samples are
    packed into, where they are.
    """

    lengths: Lengths
    left_aside: dict[str, int]
    times: list[float]
    media: npt.NDArray[np.int64]
    rows: int | None = None


def write_table(
    asked: Preparation, shards: Sequence[Shard], chosen: Split, media: ShardMedia, read_share: Sequence[float]
) -> Table:
    """Write what trains: a table of pairs or prompts, or that of the shards' tokens with their packed rows.

    Args:
        asked: with the weights of the sources, what they mean, and how many samples are wanted.
        shards: in the order of the data.
        chosen: which of their samples train.
        media: of the shards; learns which of them are used.
        read_share: the share of each source's rows that was read.

    Raises:
        DataError: nothing is left to train on, or a prompt is on both sides.
    """
    folder, settings = asked.folder, asked.settings
    counts, aside = _counted(shards, chosen, len(asked.sources), folder)
    check_some_train(sum(counts.samples))
    check_some_fit(sum(counts.pieces), settings.max_length)
    times, beyond = _times(asked.sources, settings, read_share, counts.samples, counts.tokens)
    mixture = Mixture(counts.pieces, times, asked.seed)
    left_aside = {reason: count for reason, count in {**aside, BEYOND: beyond}.items() if count}
    if asked.kind in TABLES:
        for index, (_, is_trained, copies) in enumerate(_trained(shards, chosen, mixture)):
            seen = np.repeat(np.flatnonzero(is_trained), copies)
            media.add(index, seen, np.ones(len(seen), dtype=bool))
        kept = media.finish(folder)
        lengths = _write_arrow(asked, shards, chosen, mixture, media, kept)
        check_no_leak(folder)
        return Table(lengths, left_aside, times, kept)
    base = 0
    for index, (shard, is_trained, copies) in enumerate(_trained(shards, chosen, mixture)):
        pieces = shard.pieces()[is_trained]
        _append(folder / STARTS, (pieces["start"] + np.uint64(base)).astype("<i8"))
        _append(folder / LENGTHS, pieces["length"].astype("<i4"))
        media.add(index, np.flatnonzero(is_trained), copies > 0)
        base += shard.told.tokens
    kept = media.finish(folder)
    _write_layout(asked, shards, counts, times)
    check_places(shards, folder)
    check_no_leak(folder)
    marked, learned = (
        sum(t * n for t, n in zip(times, c, strict=True)) for c in (counts.tokens, counts.learned)
    )
    lengths, rows = _pack(folder, settings.max_length, not media.is_used.any())
    lengths.learned = learned / marked * lengths.tokens
    return Table(lengths, left_aside, times, kept, rows)


@dataclass
class _Counts:
    """What trains of each source."""

    samples: list[int]
    pieces: list[int]
    tokens: list[int]
    learned: list[int]


def _counted(
    shards: Sequence[Shard], chosen: Split, sources: int, folder: Path
) -> tuple[_Counts, Counter[str]]:
    """Count what trains, and why other samples do not; write down what training samples ask."""
    counts = _Counts(*([0] * sources for _ in range(4)))
    aside: Counter[str] = Counter({REPEATED: chosen.repeated.marked})
    (folder / ASKED).touch()
    for shard, (found, trains, others) in zip(shards, chosen.trained(shards), strict=True):
        aside.update(others)
        for fate, reason in FATES.items():
            aside[reason] += int((found["fate"][trains] == fate).sum())
        pieces = shard.pieces()
        pieces = pieces[trains[pieces["sample"]]]
        asked_by([found["prompt"][pieces["sample"]]], folder / ASKED)
        counts.samples[shard.source] += int(trains.sum())
        counts.pieces[shard.source] += len(pieces)
        counts.tokens[shard.source] += int(pieces["length"].sum())
        counts.learned[shard.source] += int(pieces["learned"].sum())
    return counts, aside


def _trained(
    shards: Sequence[Shard], chosen: Split, mixture: Mixture
) -> Iterator[tuple[Shard, npt.NDArray[np.bool_], npt.NDArray[np.int64]]]:
    """Yield each shard with which of its pieces train, and how often these are in an epoch."""
    done = [0] * len(mixture.sizes)
    for shard, (_, trains, _) in zip(shards, chosen.trained(shards), strict=True):
        pieces = trains[shard.pieces()["sample"]]
        first, count = done[shard.source], int(pieces.sum())
        done[shard.source] += count
        yield shard, pieces, mixture.copies(shard.source, np.arange(first, first + count))


def _append(path: Path, values: npt.NDArray[Any]) -> None:
    with path.open("ab") as stream:
        stream.write(values.tobytes())


def _write_layout(
    asked: Preparation, shards: Sequence[Shard], counts: _Counts, times: Sequence[float]
) -> None:
    files = _take_over(shards, asked.folder)
    made = [
        {"samples": n, "tokens": t, "times": f}
        for n, t, f in zip(counts.pieces, counts.tokens, times, strict=True)
    ]
    layout = {
        "version": 1,
        "max_length": asked.settings.max_length,
        "seed": asked.seed,
        "token_files": files,
        "sources": made,
    }
    write_json(asked.folder / LAYOUT, layout)


def _write_arrow(
    asked: Preparation,
    shards: Sequence[Shard],
    chosen: Split,
    mixture: Mixture,
    media: ShardMedia,
    kept: npt.NDArray[np.int64],
) -> Lengths:
    """Write an epoch of pairs or prompts, batch by batch; each is there as often as it is seen."""
    import pyarrow

    lengths, learned, done = Lengths(), 0, 0
    name = TABLES[asked.kind]
    with (
        pyarrow.OSFile(str(asked.folder / name), "wb") as sink,
        pyarrow.ipc.new_stream(sink, schema_of(asked.kind)) as writer,
        progress("write the table", len(mixture), "samples") as advance,
    ):
        for index, (shard, is_trained, copies) in enumerate(_trained(shards, chosen, mixture)):
            numbers = media.kept_in(index, kept)
            pieces = shard.pieces()
            times = np.zeros(len(pieces), dtype=np.int64)
            times[is_trained] = copies
            lengths.add(np.repeat(pieces["length"], times).astype(np.int64))
            learned += int((pieces["learned"] * times).sum())
            first = 0
            with (
                pyarrow.OSFile(str(shard.folder / name), "rb") as source,
                pyarrow.ipc.open_stream(source) as batches,
            ):
                for batch in batches:
                    RUN.cross("writing the table")
                    chosen_rows = np.repeat(np.arange(len(batch)), times[first : first + len(batch)])
                    for some in np.array_split(chosen_rows, -(-len(chosen_rows) // len(batch)) or 1):
                        if len(some):
                            made = batch.take(pyarrow.array(some))
                            writer.write_batch(_renumbered(made, numbers) if numbers else made)
                    first, done = first + len(batch), done + len(chosen_rows)
                    advance(done)
    lengths.learned = learned
    return lengths


def _renumbered(prompts: Any, numbers: dict[int, int]) -> Any:
    """Return a batch of prompts whose media have the numbers under which they are kept."""
    import pyarrow

    samples = [renumbered(json.loads(one), numbers) for one in prompts.column("sample").to_pylist()]
    texts = pyarrow.array([json.dumps(one, ensure_ascii=False) for one in samples], pyarrow.string())
    return prompts.set_column(prompts.schema.get_field_index("sample"), "sample", texts)


def _times(
    sources: Sequence[Source],
    settings: DataSettings,
    read_share: Sequence[float],
    samples: Sequence[int],
    tokens: Sequence[int],
) -> tuple[list[float], int]:
    """Return how often each source is seen, `sample_size` considered, and how many samples lie beyond it."""
    there = [
        count / share for count, share in zip(samples, read_share, strict=True)
    ]  # about, had all been read
    sizes = tokens if settings.mix == "tokens" else samples
    sizes = [
        max(1, round(size / share)) if size else 0 for size, share in zip(sizes, read_share, strict=True)
    ]
    times = times_seen([source.weight for source in sources], sizes, settings.mix, settings.until)
    epoch = sum(time * count for time, count in zip(times, there, strict=True))
    limit = settings.sample_size
    if not limit or limit >= epoch:
        return times, 0
    scaled = [time * limit / epoch / share for time, share in zip(times, read_share, strict=True)]
    return scaled, round(epoch) - limit


def _take_over(shards: Sequence[Shard], folder: Path) -> dict[str, int]:
    """Bring the shards' token files into a folder, by link on the same disk; return their names and sizes."""
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
    """Look at the tokens that the table points at: none may be of a sample that asks what is held out.

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
                f"{len(leaked)} training samples of {shard.task.name} ask what held-out samples ask; "
                "this must not be, please report it"
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


def _pack(folder: Path, capacity: int, is_written: bool) -> tuple[Lengths, int | None]:
    """Write the packed rows; return all lengths, and how many rows.

    There are none where samples with other media share no row.
    """
    samples, lengths = ShardedSamples(folder), Lengths()

    def lengths_at(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        found = samples.lengths_at(places)
        lengths.add(found)
        return found

    with progress("pack", len(samples), "samples") as advance:

        def cross(done: int) -> None:
            RUN.cross("packing")
            advance(done)

        if is_written:
            return lengths, write_rows(folder, len(samples), lengths_at, capacity, cross)
        done = 0
        for places in blocks(len(samples)):
            lengths_at(places)
            cross(done := done + len(places))
        return lengths, None
