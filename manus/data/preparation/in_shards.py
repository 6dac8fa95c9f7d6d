"""Prepares data of any size in bounded memory, in several processes, and goes on after a kill where it was.

The flow: each file gets random access to its rows (`sources.formats`); parts of files are read, tokenised and
kept as shards (`shards`, `guards.workers`); the split is decided on digests (`split`); a table says what
trains (`table`), and media are brought together (`shard_media`). The results are those of `in_memory`, up to
the draws. Knows nothing of models.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manus.data.order.mixing import times_seen
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.quarantine import QUARANTINE, read_entries, write_entries
from manus.data.preparation.reading import rows_to_generate, tell_unread
from manus.data.preparation.shard_media import ShardMedia, with_kept_numbers
from manus.data.preparation.shards import Opened, Reading, Shard, Task, Told, make_shard
from manus.data.preparation.split import Place, split, tell_shared
from manus.data.preparation.statistics import statistics
from manus.data.preparation.table import write_table
from manus.data.prepared.samples import HELD_OUT
from manus.data.sample import Sample
from manus.data.settings import DataSettings, Source
from manus.data.sources.archives import Archives
from manus.data.sources.cache import cache_folder
from manus.data.sources.files import bytes_of_files, data_files
from manus.data.sources.formats import bytes_of_rows, records_of
from manus.data.sources.hub_archives import Missing, archives_of
from manus.data.sources.records import Records, spool, spooled_at
from manus.data.sources.rows import rows
from manus.errors import DataError
from manus.files import write_json, write_jsonl
from manus.guards.progress import progress
from manus.guards.ranks import say
from manus.guards.workers import processors, side_by_side
from manus.store.digests import Digests
from manus.store.keys import key_of

FORMAT = 6
SHARD_BYTES = 16 << 20
MOST_SHARDS = 4096  # more data make larger shards
ROWS_WITH_MEDIA = 1024  # in a shard, where the model takes media in: those are kept and looked at
MEGABYTE = 1_000_000
LARGEST_QUARANTINE = 10_000
SPARE_ROWS = 1000  # read beyond sample_size, for duplicates and bad rows
PLAN = "shards.json"


def prepare_in_shards(
    asked: Preparation, from_hub: Mapping[int, Path], processes: int | None = None
) -> dict[str, Any]:
    """Prepare a stage's data and return their statistics, as `prepare_in_memory` does.

    Args:
        asked: the data, and what becomes of them; finished shards are kept in `work` until the artifact is
            done.
        from_hub: the rows of all hub data sets, which were brought to the disk, by the source's place.
        processes: how many tokenise; none: as many as there are processors.

    Raises:
        DataError: too many bad rows, or too few samples.
        Interrupted: a signal came.
    """
    settings, folder = asked.settings, asked.folder
    size = bytes_of_files(asked.sources, asked.beside, from_hub.values())
    say(
        f"{size / 1e9:.2f} GB of files (index_above_bytes {settings.index_above_bytes / 1e9:g} "
        "GB): rows are indexed and read one by one, so memory stays small"
    )
    opened = _Opened.of(asked, from_hub)
    reading = Reading(asked, opened.files, opened.archives)
    tasks, drawn_share = _tasks(reading)
    place = _shards_folder(reading, opened.digests, tasks)
    shards, told = _make_shards(reading, tasks, place, processes or processors())
    _check(reading, told, shards)
    tell_unread(told.unread, told.columns)
    for index in opened.archives:
        missing = Missing()
        for shard in shards:
            if shard.source == index:
                missing.add_all(shard.told.missing)
        missing.tell(asked.sources[index])
        missing.check(asked.sources[index])
    media = ShardMedia(shards)

    def sample_at(where: Place) -> Sample:
        return media.numbered(where.block, shards[where.block].sample(where.row, reading))

    chosen = split(shards, len(asked.sources), settings.held_out, sample_at, asked.seed, asked.work)
    tell_shared(chosen.is_shared)
    write_jsonl(folder / HELD_OUT, chosen.held_out)
    table = write_table(asked, shards, chosen, media, drawn_share)
    if len(media):
        write_jsonl(folder / HELD_OUT, with_kept_numbers(chosen.held_out, table.media))
    write_entries(folder / QUARANTINE, _entries(shards))
    more = {"shards": len(shards), "times_seen": [round(times, 6) for times in table.times]}
    if table.rows is not None:
        more["packed_rows"] = table.rows
    return statistics(
        told.failures,
        table.lengths,
        len(chosen.held_out),
        {**table.left_aside, **told.left_out},
        asked.names,
        told.unread,
        told.columns,
        folder,
        **more,
    )


@dataclass
class _Opened:
    """All sources as files, with random access; what is none, or cannot be indexed, was made one first."""

    files: list[list[Opened]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    archives: dict[int, Archives] = field(default_factory=dict)

    @classmethod
    def of(cls, asked: Preparation, from_hub: Mapping[int, Path]) -> _Opened:
        """Open all sources."""
        opened, digests = cls(), Digests()
        for index, source in enumerate(asked.sources):
            if source.path is not None:
                opened.files.append(
                    [opened.file(asked, path, digests) for path in data_files(source, asked.beside)]
                )
            elif source.hub is not None:
                opened.files.append([Opened(spooled_at(from_hub[index]), asked.beside)])
                if (archives := archives_of(source)) is not None:
                    opened.archives[index] = archives
            else:
                opened.files.append(_generated(asked, source, index))
        digests.save()
        return opened

    def file(self, asked: Preparation, path: Path, digests: Digests) -> Opened:
        """Open one file."""
        digest = digests.of_file(path)
        self.digests.append(digest)
        records = records_of(path, digest, cache_folder())
        return Opened(records or _spooled_whole(asked, path, digest), path.parent)


def _generated(asked: Preparation, source: Source, index: int) -> list[Opened]:
    """Return what a generator makes to train on, and what to hold out."""
    opened = []
    for is_apart, count in enumerate(rows_to_generate(source, asked.settings)):
        made = rows(source, asked.beside, count, asked.seed, bool(is_apart))
        name = f"{index}{'-held-out' if is_apart else ''}.jsonl"
        opened.append(Opened(spool(made, asked.work / "spool" / name), asked.beside, bool(is_apart)))
    return opened


def _spooled_whole(asked: Preparation, file: Path, digest: str) -> Records:
    """Return the rows of a file that can only be read whole.

    Raises:
        DataError: it is large.
    """
    if bytes_of_rows(file) > asked.settings.index_above_bytes:
        raise DataError(
            f"data {file}: a large .json file cannot be read row by row; write one object a line, as .jsonl"
        )
    whole = rows(Source(path=str(file.resolve())), file.parent, 0, 0, False)
    return spool(whole, asked.work / "spool" / f"{digest[:16]}.jsonl")


def _tasks(reading: Reading) -> tuple[list[Task], list[float]]:
    """Return the shards to be made, and which share of each source's rows they read."""
    asked = reading.asked
    counts = [sum(len(one.records) for one in some if not one.is_apart) for some in reading.files]
    draws = _draws([source.weight for source in asked.sources], counts, asked.settings)
    drawn_share = [
        min(1.0, draw / count) if count else 1.0 for draw, count in zip(draws, counts, strict=True)
    ]
    read_bytes = sum(
        share * one.records.bytes_of(0, len(one.records))
        for some, share in zip(reading.files, drawn_share, strict=True)
        for one in some
    )
    size = max(SHARD_BYTES, int(read_bytes) // MOST_SHARDS)
    most_rows = max(ROWS_WITH_MEDIA, sum(counts) // MOST_SHARDS) if asked.layout is not None else None
    tasks: list[Task] = []
    for source, (some, share) in enumerate(zip(reading.files, drawn_share, strict=True)):
        for file, one in enumerate(some):
            draw = None if share == 1 or one.is_apart else math.ceil(share * len(one.records))
            part = 1.0 if draw is None else share
            for first, last in _parts(one.records, int(size / max(part, 1e-9)), most_rows):
                tasks.append(Task(len(tasks), source, file, first, last, draw, one.is_apart))
    return tasks, drawn_share


def _parts(records: Records, step: int, most_rows: int | None) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows that take about `step` bytes, and are no more than `most_rows`."""
    for first, last in records.cut_evenly(step):
        for begin in range(first, last, most_rows or last - first):
            yield begin, min(begin + most_rows, last) if most_rows else last


def _draws(weights: Sequence[float], counts: Sequence[int], settings: DataSettings) -> list[int]:
    """Return how many rows of each source are read: all, or somewhat more than sample_size needs."""
    if not settings.sample_size:
        return list(counts)
    mix = "samples" if settings.mix == "tokens" else settings.mix  # tokens are not known yet
    seen = [t * n for t, n in zip(times_seen(weights, counts, mix, settings.until), counts, strict=True)]
    spare = (settings.held_out or 200) + SPARE_ROWS
    return [
        min(count, math.ceil(1.1 * settings.sample_size * part / max(1e-9, sum(seen))) + spare)
        for part, count in zip(seen, counts, strict=True)
    ]


def _shards_folder(reading: Reading, digests: Sequence[str], tasks: Sequence[Task]) -> Path:
    """Return where shards are kept; those that were made of other data or settings are gone."""
    asked = reading.asked
    made_from = {
        "format": FORMAT,
        "settings": asked.settings.model_dump(mode="json", exclude={"data"}),
        "digests": list(digests),
        "columns": [[source.columns, sorted(source.ignore)] for source in asked.sources],
        "seed": asked.seed,
        "kind": asked.kind,
        "layout": asked.layout is not None,
        "tasks": len(tasks),
        "shard_bytes": SHARD_BYTES,
        "template": str(asked.tokenizer.chat_template),
        "vocabulary": len(asked.tokenizer),
        "rows": [[len(one.records) for one in some] for some in reading.files],
    }
    folder, key = asked.work / "shards", key_of(made_from)
    plan = folder / PLAN
    if not plan.exists() or json.loads(plan.read_text(encoding="utf-8")) != {"key": key}:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_json(plan, {"key": key})
    return folder


def _make_shards(
    reading: Reading, tasks: Sequence[Task], folder: Path, processes: int
) -> tuple[list[Shard], Told]:
    """Make the shards that are not there yet; return all of them, and what they tell together.

    Raises:
        DataError: more rows are bad than the failure budget allows, whatever the others are.
        Interrupted: a signal came; finished shards are kept.
    """
    known = {task.number: Shard.read(task, folder) for task in tasks}
    shards = {number: shard for number, shard in known.items() if shard is not None}
    told = Told()
    for shard in shards.values():
        told.add(shard.told)
    missing = [task for task in tasks if task.number not in shards]
    if shards:
        say(f"continuing: {len(shards)} of {len(tasks)} shards are there")
    sizes = {
        task.number: reading.records(task.source, task.file).bytes_of(task.first, task.last)
        for task in missing
    }
    rows_in_all = sum(len(one.records) for some in reading.files for one in some)
    is_counted = reading.asked.layout is None and all(
        task.draws is None for task in tasks
    )  # a row may give several
    under_way: dict[int, int] = {}
    total = -(-(told.source_bytes + sum(sizes.values())) // MEGABYTE)
    with progress("tokenise", total, "MB") as advance:

        def note(task: Task, done: int) -> None:
            under_way[task.number] = sizes[task.number] * done // max(1, task.last - task.first)
            advance(min((told.source_bytes + sum(under_way.values())) // MEGABYTE, total - 1))

        def work(task: Task, report: Callable[[int], None]) -> Told:
            return make_shard(reading, task, folder, report)

        for task, made in side_by_side(missing, work, min(processes, len(missing)), "tokenising", note):
            under_way.pop(task.number, None)
            shards[task.number] = Shard(task, folder / task.name, made)
            told.add(made)
            done = total if len(shards) == len(tasks) else told.source_bytes // MEGABYTE
            advance(done, f"{told.tokens / 1e6:.0f} M tokens")
            if is_counted:
                _check(reading, told, list(shards.values()), rows_in_all)
    return [shards[task.number] for task in tasks], told


def _check(reading: Reading, told: Told, shards: Sequence[Shard], expected: int | None = None) -> None:
    """Refuse the data if too many rows are bad, whatever the others of `expected` are; raises DataError."""
    asked = reading.asked
    told.failures.refuse_beyond(asked.settings.failure_budget, asked.bad_rows, _entries(shards), expected)


def _entries(shards: Sequence[Shard]) -> Iterator[Mapping[str, Any]]:
    """Yield the bad rows that shards have kept, up to a limit."""
    some = (shard.folder / QUARANTINE for shard in shards if shard.told.failures.bad)
    return read_entries(some, LARGEST_QUARANTINE)
