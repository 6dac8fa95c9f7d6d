"""Prepares data of any size in bounded memory, in several processes, and goes on after a kill where it stopped.

The flow: each file gets random access to its rows (`records`); parts of files are read, tokenised and kept as shards
(`shards`, `workers`); the split is decided on digests (`large_selection`); a table says which tokens train, and rows are
packed (`packing`). The results are those of `preparation`, up to the draws. Knows nothing of models.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from manus.data.forms.columns import unread_words
from manus.data.order.mixing import times_seen
from manus.data.preparation.shards import QUARANTINE, Reading, Shard, Task, Told, make_shard
from manus.data.preparation.split_on_disk import split
from manus.data.preparation.table import write_table
from manus.data.prepared.samples import HELD_OUT
from manus.data.sample import NotLearned, Row, RowError, Sample
from manus.data.settings import DataSettings, Source
from manus.data.sources.cache import cache_folder, cached
from manus.data.sources.files import EXPANSION, bytes_of_files, data_files
from manus.data.sources.hub import spooled, spools
from manus.data.sources.indexing import LineEnds, index_of
from manus.data.sources.records import Records, Spooled, cut_evenly, records_of
from manus.data.sources.rows import DEFAULT_GENERATED_HELD_OUT, DEFAULT_GENERATED_ROWS, rows
from manus.errors import DataError
from manus.files import write_json, write_jsonl
from manus.guards.progress import progress
from manus.guards.ranks import say
from manus.guards.run import RUN
from manus.guards.workers import processors, side_by_side
from manus.store.digests import Digests
from manus.store.keys import key_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FORMAT = 3
SHARD_BYTES = 16 << 20
MOST_SHARDS = 4096  # more data make larger shards
MEGABYTE = 1_000_000
EXAMPLES_IN_ERROR = 3
LARGEST_QUARANTINE = 10_000
SPARE_ROWS = 1000  # read beyond sample_size, for duplicates and bad rows
PLAN = "shards.json"


def prepare_large(
    sources: Sequence[Source], settings: DataSettings, read: Callable[[Row], Sample],
    tokenizer: PreTrainedTokenizerBase, beside: Path, seed: int, folder: Path, work: Path, processes: int | None = None,
) -> dict[str, object]:  # fmt: skip
    """Prepare a stage's data in `folder` and return its statistics, as `preparation.prepare` does.

    Args:
        sources: where the rows come from.
        settings: split, sizes and limits.
        read: a row as a sample of messages or of text; raises RowError.
        tokenizer: one with a chat template.
        beside: the folder of the recipe, for relative paths.
        seed: where the split and the draws start.
        folder: an empty folder for the files of the artifact.
        work: keeps finished shards until the artifact is done, so that the next run goes on from there.
        processes: how many tokenise; none: as many as there are processors.

    Raises:
        DataError: too many bad rows, or too few samples.
        Interrupted: a signal came.
    """
    from_hub = spools(sources, settings, seed, work)
    size = bytes_of_files(sources, beside, from_hub.values())
    say(
        f"{size / 1e9:.2f} GB of files (index_above_bytes {settings.index_above_bytes / 1e9:g} "
        "GB): rows are indexed and read one by one, so memory stays small"
    )
    opened = _Opened.of(sources, settings, beside, seed, work)
    reading = Reading(
        opened.files, sources, read, tokenizer, settings.max_length,
        settings.window_overlap, settings.too_long == "truncate", seed,
    )  # fmt: skip
    tasks, drawn_share = _tasks(sources, settings, opened.files)
    place = _shards_folder(work, reading, settings, opened.digests, tasks)
    shards, told = _make_shards(reading, tasks, place, settings, work / QUARANTINE, processes or processors())
    own = {index: _held_out_rows(source, settings, read, beside, seed, told) for index, source in opened.generated}
    _check(told, told.rows, settings.failure_budget, place, shards, work / QUARANTINE)
    for source, columns in told.columns.items():
        say(unread_words(source, columns))
    chosen = split(shards, len(sources), settings.held_out, own, reading.sample, seed, work)
    write_jsonl(folder / HELD_OUT, chosen.held_out)
    table = write_table(shards, chosen, sources, settings, drawn_share, seed, folder)
    _write_quarantine(shards, folder / QUARANTINE)
    statistics = {
        "rows": told.rows,
        "quarantined": told.quarantined,
        "train_samples": table.samples,
        "held_out_samples": len(chosen.held_out),
        "tokens": table.tokens,
        "learned_share": table.learned_share,
        "tokens_per_sample": table.quantiles,
        "length_histogram": table.histogram,
        "left_aside": {**table.left_aside, **told.left_out},
        "sources": [source.name for source in sources],
        "shards": len(shards),
        "packed_rows": table.rows,
        "times_seen": [round(times, 6) for times in table.times],
    }
    if told.columns:
        statistics["columns_not_read"] = told.columns
    write_json(folder / "statistics.json", statistics)
    return statistics


@dataclass
class _Opened:
    """The files of all sources, with random access; what is no file, or cannot be indexed, was written to one first."""

    files: list[list[Records]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    generated: list[tuple[int, Source]] = field(default_factory=list)

    @classmethod
    def of(cls, sources: Sequence[Source], settings: DataSettings, beside: Path, seed: int, work: Path) -> _Opened:
        """Open all sources."""
        opened, digests, cache = cls(), Digests(), cache_folder()
        for index, source in enumerate(sources):
            found: list[Records] = []
            if source.path is not None:
                for file in data_files(source, beside):
                    digest = digests.of_file(file)
                    opened.digests.append(digest)
                    records = records_of(file, digest, cache)
                    found.append(records or _spooled(_whole(file, settings), f"{index}-{digest[:16]}", work))
            elif source.hub is not None:
                path = spooled(source, settings, seed, work)
                found.append(Spooled(path, index_of(path, path.stem, LineEnds, path.parent)))
            else:
                opened.generated.append((index, source))
                made = source.size or settings.sample_size or DEFAULT_GENERATED_ROWS
                found.append(_spooled(rows(source, beside, made, seed, False), str(index), work))
            opened.files.append(found)
        digests.save()
        return opened


def _whole(file: Path, settings: DataSettings) -> Iterator[tuple[str, object]]:
    """Yield the rows of a file that can only be read whole.

    Raises:
        DataError: it is large.
    """
    if file.stat().st_size * EXPANSION.get(file.suffix, 1) > settings.index_above_bytes:
        raise DataError(
            f"data {file}: a large .json file cannot be read row by row; write one object a line, as .jsonl"
        )
    yield from rows(Source(path=str(file.resolve())), file.parent, 0, 0, False)


def _spooled(drawn: Iterator[tuple[str, object]], name: str, work: Path) -> Records:
    """Write rows down, once, so that they can be read again and from the middle."""

    def build(target: Path) -> None:
        with target.open("w", encoding="utf-8", errors="backslashreplace") as stream:  # half a character: its escape
            for place, row in drawn:
                RUN.cross("reading data")
                stream.write(json.dumps([place, row], ensure_ascii=False, default=str) + "\n")

    path = cached(work / "spool" / f"{name}.jsonl", build)
    return Spooled(path, index_of(path, path.stem, LineEnds, path.parent))


def _tasks(
    sources: Sequence[Source], settings: DataSettings, files: Sequence[Sequence[Records]]
) -> tuple[list[Task], list[float]]:
    """Return the shards to be made, and which share of each source's rows they read."""
    counts = [sum(map(len, records)) for records in files]
    draws = _draws([source.weight for source in sources], counts, settings)
    drawn_share = [min(1.0, draw / count) if count else 1.0 for draw, count in zip(draws, counts, strict=True)]
    read_bytes = sum(
        share * records.bytes_of(0, len(records))
        for some, share in zip(files, drawn_share, strict=True)
        for records in some
    )
    size = max(SHARD_BYTES, int(read_bytes) // MOST_SHARDS)
    tasks: list[Task] = []
    for source, (some, share) in enumerate(zip(files, drawn_share, strict=True)):
        for file, records in enumerate(some):
            draw = None if share == 1 else math.ceil(share * len(records))
            for first, last in cut_evenly(records, int(size / max(share, 1e-9))):
                tasks.append(Task(len(tasks), source, file, first, last, draw))
    return tasks, drawn_share


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


def _shards_folder(
    work: Path, reading: Reading, settings: DataSettings, digests: Sequence[str], tasks: Sequence[Task]
) -> Path:
    """Return where shards are kept; those that were made of other data or settings are gone."""
    made_from = {
        "format": FORMAT, "settings": settings.model_dump(mode="json", exclude={"data"}), "digests": list(digests),
        "columns": [[source.columns, sorted(source.ignore)] for source in reading.sources], "seed": reading.seed, "tasks": len(tasks), "shard_bytes": SHARD_BYTES,
        "template": str(reading.tokenizer.chat_template), "vocabulary": len(reading.tokenizer),
        "rows": [[len(records) for records in some] for some in reading.files],
    }  # fmt: skip
    folder, key = work / "shards", key_of(made_from)
    plan = folder / PLAN
    if not plan.exists() or json.loads(plan.read_text(encoding="utf-8")) != {"key": key}:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_json(plan, {"key": key})
    return folder


def _make_shards(
    reading: Reading, tasks: Sequence[Task], folder: Path, settings: DataSettings, quarantine_file: Path, processes: int
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
    sizes = {task.number: _read_bytes(reading, task) for task in missing}
    rows_in_all = sum(len(records) for some in reading.files for records in some)
    is_partial = any(task.draws is not None for task in tasks)
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
            if not is_partial:
                _check(told, rows_in_all, settings.failure_budget, folder, list(shards.values()), quarantine_file)
    return [shards[task.number] for task in tasks], told


def _read_bytes(reading: Reading, task: Task) -> int:
    return reading.files[task.source][task.file].bytes_of(task.first, task.last)


def _check(
    told: Told, rows_in_all: int, budget: float, folder: Path, shards: Sequence[Shard], quarantine_file: Path
) -> None:
    """Refuse the data when more than a share of `budget` of the rows are bad.

    Raises:
        DataError: with the most frequent reasons and examples.
    """
    if told.quarantined <= budget * rows_in_all:
        return
    _write_quarantine(shards, quarantine_file)
    reasons = told.reasons.most_common(EXAMPLES_IN_ERROR)
    shown = "\n".join(f"  {count} x {reason} (first: {told.first[reason]})" for reason, count in reasons)
    raise DataError(
        f"{told.quarantined} of {told.rows} rows cannot be used, more than failure_budget {budget:.0%} allows:\n{shown}\n"
        f"examples are in {quarantine_file}; mend the data, or raise failure_budget"
    )


def _write_quarantine(shards: Sequence[Shard], target: Path) -> None:
    """Write the bad rows that shards have kept, up to a limit."""
    left = LARGEST_QUARANTINE
    with target.open("w", encoding="utf-8") as stream:
        for shard in shards:
            if left and shard.told.quarantined:
                with (shard.folder / QUARANTINE).open(encoding="utf-8") as rows_of_shard:
                    for line in rows_of_shard:
                        stream.write(line)
                        left -= 1
                        if not left:
                            return


def _held_out_rows(
    source: Source, settings: DataSettings, read: Callable[[Row], Sample], beside: Path, seed: int, told: Told
) -> list[Sample]:
    """Return the samples that a generator makes to be held out."""
    samples = []
    for place, row in rows(source, beside, settings.held_out or DEFAULT_GENERATED_HELD_OUT, seed, True):
        RUN.cross("reading data")
        told.rows += 1
        try:
            if isinstance(row, str):
                raise RowError(row)
            samples.append(read(row))
        except NotLearned as error:
            told.left_out[str(error)] += 1
        except RowError as error:
            told.quarantined += 1
            told.note(str(error), place)
    return samples
