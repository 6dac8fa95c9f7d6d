"""Rows that are tokenised while a model trains: no pass before, and any place of any epoch at once.

What is fixed ahead is little: the number of rows, the held-out samples, and what a few rows tell of all. A place of an
epoch is a row; where that row cannot train (it is held out, bad, blank or too long), another one, drawn by the seed,
stands in for it. So every step is full, and what it holds follows from its number alone. Knows nothing of models.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manus.data.forms.columns import Columns, Unread, add_unread, unread_words
from manus.data.media.expansion import Layout
from manus.data.order.mixing import Mixture, times_seen
from manus.data.order.shuffle import Permutation
from manus.data.preparation.distribution import histogram, quantiles
from manus.data.preparation.leaks import ASKED, asked_by, check_no_leak
from manus.data.preparation.media_intake import text_only
from manus.data.preparation.quarantine import Quarantine
from manus.data.preparation.shards import FATES, Reading, Task, shown_row
from manus.data.preparation.split import LARGEST_DEFAULT_HELD_OUT
from manus.data.preparation.split_on_disk import is_among, prompts_of
from manus.data.prepared.samples import HELD_OUT, read_held_out, write_tokens
from manus.data.sample import NotLearned, Row, RowError, Sample, Tokens
from manus.data.sample_digests import content_digest, halves, prompt_digest
from manus.data.settings import DataSettings, Source
from manus.data.sources.cache import cache_folder
from manus.data.sources.files import data_files
from manus.data.sources.records import Record, Records, Segments, records_of
from manus.data.sources.rows import renamed
from manus.data.tokens.fitting import learned_in
from manus.data.tokens.windows import segment_windows, text_windows
from manus.errors import DataError
from manus.files import read_jsonl, write_json, write_jsonl
from manus.guards.progress import progress
from manus.guards.ranks import say
from manus.guards.run import RUN
from manus.store.digests import Digests

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LAYOUT, SAMPLED = "on_the_fly.json", "sampled"
ROWS_SAMPLED = 2000
MOST_STAND_INS = 100  # in a row; whoever needs more has data in which next to nothing can train
BYTES_OF_A_TOKEN = 3  # of a long text: windows of it are about full, and none is lost
LONGEST_SEARCH_CHARACTERS = 8  # for each token of a window, of a long row
WHY_NO_MEDIA = "a row with media, which are not kept where rows are not prepared; set prepare: ahead"
WORD = re.compile(r"\s\S")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What stands at a place of an epoch: the samples, the rows read for them, and those that are bad, as JSON lines.

    `unread` has the columns of the row that nothing reads, `source` where it comes from.
    """

    tokens: list[Tokens]
    rows: int
    bad: list[str]
    fates: list[str]
    asked: str = ""
    unread: tuple[str, ...] = ()
    source: str = ""


class LiveRows:
    """The rows of an epoch, by place. Safe to use in processes that were forked."""

    def __init__(self, reading: Reading, times: Sequence[float], asked: Sequence[Sample]) -> None:
        self.reading, self.asked = reading, prompts_of(asked)
        counts = [[len(records) for records in some] for some in reading.files]
        self.mixture = Mixture([sum(some) for some in counts], times, reading.seed)
        self.files = [(source, file) for source, some in enumerate(counts) for file in range(len(some))]
        self.ends = np.cumsum([count for some in counts for count in some])
        self.stamps = [_stamp(self.records(*place)) for place in self.files]

    def __len__(self) -> int:
        return len(self.mixture)

    def records(self, source: int, file: int) -> Records:
        """Return the rows of a file of a source."""
        return self.reading.files[source][file]

    def at(self, epoch: int, place: int) -> Drawn:
        """Return what stands at a place of an epoch.

        Raises:
            DataError: nothing there can train, or the file was changed.
        """
        rows, bad, fates = 0, list[str](), list[str]()
        for attempt in range(MOST_STAND_INS):
            index = (
                place if not attempt else Permutation(len(self), self.reading.seed, "instead", epoch, attempt)[place]
            )
            task, record = self.row(int(self.mixture.at([index])[0]))
            if record is None:
                continue
            rows += 1
            try:
                if isinstance(record.row, str):
                    raise RowError(record.row)
                columns = Columns.of(record.row)
                sample = self.reading.read(columns)
                asked = prompt_digest(sample)
                if self.is_held_out(asked):
                    fates.append("same prompt as a held-out sample")
                    continue
                tokens, fate = self.tokens(task, record, sample, epoch)
            except NotLearned as error:
                fates.append(str(error))
                continue
            except RowError as error:
                bad.append(shown_row(record, str(error)))
                continue
            if fate:
                fates.append(fate)
            if tokens:
                name = self.reading.sources[task.source].name
                return Drawn(tokens, rows, bad, fates, asked, tuple(columns.unread(sample)), name)
        why = bad[0] if bad else "; ".join(f"{count} x {fate}" for fate, count in Counter(fates).most_common(3))
        raise DataError(f"of {MOST_STAND_INS} rows drawn in turn none can train: {why or 'all are blank'}")

    def row(self, number: int) -> tuple[Task, Record | None]:
        """Return a row by its number among all, with its columns under our names; None where it is blank.

        Raises:
            DataError: its file was changed since it was opened.
        """
        index = int(np.searchsorted(self.ends, number, side="right"))
        source, file = self.files[index]
        row = number - (int(self.ends[index - 1]) if index else 0)
        records = self.records(source, file)
        if _stamp(records) != self.stamps[index]:
            raise DataError(
                f"data {records.path}: the file was changed while it is trained on; run again to begin anew"
            )
        record = next(records.read(np.array([row])), None)
        if record is not None and isinstance(record.row, dict):
            record = record._replace(row=renamed(record.row, self.reading.sources[source]))
        return Task(0, source, file, row, row + 1), record

    def is_held_out(self, asked: str) -> bool:
        """Tell whether a prompt, given by its digest, is held out."""
        return bool(is_among(np.array([halves(asked)], dtype=np.uint64), self.asked)[0])

    def tokens(self, task: Task, record: Record, sample: Sample, epoch: int) -> tuple[list[Tokens], str]:
        """Return what a sample gives to learn in an epoch, and what became of it where that is not all of it."""
        if "text" not in sample or isinstance(self.records(task.source, task.file), Segments):
            made, fate = self.reading.pieces(task, record, sample)
            return list(made), FATES.get(fate, "")
        place = hashlib.sha256(f"{self.reading.seed}:{epoch}:{record.place}".encode()).digest()
        return self.one_window(sample["text"], int.from_bytes(place[:8], "little"))

    def one_window(self, text: str, draw: int) -> tuple[list[Tokens], str]:
        """Return one window of a text, drawn by a number; of a long text only that part is tokenised."""
        reading, longest = self.reading, LONGEST_SEARCH_CHARACTERS * self.reading.max_length
        if len(text) <= longest:
            found = list(text_windows(reading.tokenizer, text, reading.max_length, reading.overlap))
            chosen = found[draw % len(found)] if found else None
            return [chosen] if chosen else [], "one window of a longer text" if len(found) > 1 else ""
        begin = draw % (len(text) - longest + 1)
        if begin and (word := WORD.search(text, begin, begin + longest // 2)):
            begin = word.start()
        some, is_end = text[begin : begin + longest], begin + longest >= len(text)
        windows = segment_windows(reading.tokenizer, some, begin == 0, is_end, reading.max_length, reading.overlap)
        return [next(windows)], "one window of a longer text"


def _stamp(records: Records) -> tuple[int, int]:
    """Return what tells that a file is as it was."""
    file = getattr(records, "file", None)
    assert isinstance(file, int), "rows that are read one by one keep their file open"
    found = os.fstat(file)
    return found.st_size, found.st_mtime_ns


def open_rows(
    sources: Sequence[Source], settings: DataSettings, read: Callable[[Row], Sample],
    tokenizer: PreTrainedTokenizerBase, beside: Path, seed: int, folder: Path | None = None,
    layout: Layout | None = None,
) -> LiveRows:  # fmt: skip
    """Open the files of a stage for training.

    Args:
        sources: local files.
        settings: sizes and limits.
        read: a row as a sample of messages or of text; raises RowError.
        tokenizer: one with a chat template.
        beside: the folder of the recipe, for relative paths.
        seed: of all draws.
        folder: of the artifact that `describe` made: its held-out samples are left out, its files must be the same.
        layout: what the model makes of media; none: it takes in text only.

    Raises:
        DataError: a file is missing, of a kind without rows by number, or another one than in the artifact.
        Interrupted: a signal came.
    """
    digests, files, names = Digests(), list[list[Records]](), list[list[str]]()
    for source in sources:
        found = data_files(source, beside)
        names.append([digests.of_file(path) for path in found])
        files.append([_opened(path, digest, settings) for path, digest in zip(found, names[-1], strict=True)])
    digests.save()
    if folder is not None and json.loads((folder / LAYOUT).read_text(encoding="utf-8"))["sha256"] != names:
        titles = ", ".join(source.title for source in sources)
        raise DataError(f"data {titles}: the files are not those that were held out from; run `manus plan`, then again")
    reading = Reading(
        files, sources, text_only(read, layout, WHY_NO_MEDIA), tokenizer, settings.max_length, settings.window_overlap,
        settings.too_long == "truncate", seed,
    )  # fmt: skip
    return LiveRows(reading, _times(sources, settings, files), read_held_out(folder) if folder else ())


def _opened(path: Path, digest: str, settings: DataSettings) -> Records:
    records = records_of(path, digest, cache_folder(), segment_bytes=BYTES_OF_A_TOKEN * settings.max_length)
    if records is None or not hasattr(records, "file"):
        raise DataError(
            f"data {path}: prepare: never reads rows one by one, which {path.suffix} does not allow; give .jsonl, .csv, "
            ".tsv or text, or set prepare: ahead"
        )
    return records


def _times(sources: Sequence[Source], settings: DataSettings, files: Sequence[Sequence[Records]]) -> list[float]:
    """Return how often the rows of each source are seen in an epoch, `sample_size` considered."""
    counts = [sum(map(len, some)) for some in files]
    times = times_seen([source.weight for source in sources], counts, settings.mix, settings.until)
    epoch = sum(time * count for time, count in zip(times, counts, strict=True))
    scale = min(1.0, settings.sample_size / epoch) if settings.sample_size and epoch else 1.0
    return [time * scale for time in times]


def describe(
    sources: Sequence[Source], settings: DataSettings, read: Callable[[Row], Sample],
    tokenizer: PreTrainedTokenizerBase, beside: Path, seed: int, folder: Path, quarantine_file: Path,
    layout: Layout | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write what is fixed before the training of a stage with `prepare: never`; return its statistics.

    Reads the held-out samples and ROWS_SAMPLED rows from all over the files: lengths, bad rows and what is left aside are
    known of these only. Duplicates are not looked for.

    Args:
        folder: an empty folder for the files of the artifact.
        quarantine_file: where bad rows go when there are too many.
        sources, settings, read, tokenizer, beside, seed, layout: as `open_rows` takes them.

    Raises:
        DataError: as `open_rows`, or too many bad rows, or too few samples.
        Interrupted: a signal came.
    """
    everything = open_rows(sources, settings, read, tokenizer, beside, seed, layout=layout)
    rows = int(everything.ends[-1]) if len(everything.ends) else 0
    say(f"prepare: never: {rows:,} rows are tokenised while training; duplicates are not looked for")
    quarantine = Quarantine()
    held_out = _held_out(everything, settings, rows, quarantine)
    write_jsonl(folder / HELD_OUT, held_out)
    live = LiveRows(everything.reading, _times(sources, settings, everything.reading.files), held_out)
    fates: Counter[str] = Counter()
    unread: Unread = {}
    learned = 0

    def sampled() -> Iterator[Tokens]:
        nonlocal learned
        places = Permutation(len(live), seed, "sampled").at(np.arange(min(len(live), ROWS_SAMPLED)))
        with progress("look at rows", len(places), "rows") as advance:
            for done, place in enumerate(places.tolist(), 1):
                RUN.cross("looking at rows")
                drawn = live.at(0, place)
                take(quarantine, drawn)
                fates.update(drawn.fates)
                add_unread(unread, drawn.source, Counter(drawn.unread))
                asked_by([np.array(halves(drawn.asked), dtype=np.uint64)] * len(drawn.tokens), folder / ASKED)
                for tokens in drawn.tokens:
                    learned += learned_in(tokens)
                    yield tokens
                advance(done)

    (folder / SAMPLED).mkdir()
    lengths = write_tokens(folder / SAMPLED, sampled())
    quarantine.check(settings.failure_budget, quarantine_file)
    check_no_leak(folder)
    write_jsonl(folder / "quarantine.jsonl", quarantine.rows)
    counted = np.bincount(lengths)
    tokens = round(int(lengths.sum()) * len(live) / max(1, min(len(live), ROWS_SAMPLED)))
    names = [source.name for source in sources]
    for source_name, columns in unread.items():
        say(unread_words(source_name, columns))
    statistics = {
        "rows": rows, "quarantined": len(quarantine.rows), "train_samples": len(live),
        "held_out_samples": len(held_out), "tokens": tokens, "learned_share": round(learned / int(lengths.sum()), 4),
        "tokens_per_sample": quantiles(counted), "length_histogram": histogram(counted), "left_aside": dict(fates),
        "sources": names, "rows_sampled": quarantine.seen,
    }  # fmt: skip
    if unread:
        statistics["columns_not_read"] = unread
    digests = Digests()
    files = [[digests.of_file(path) for path in data_files(source, beside)] for source in sources]
    write_json(folder / LAYOUT, {"version": 1, "sha256": files, "rows": rows, "places": len(live)})
    write_json(folder / "statistics.json", statistics)
    return statistics


def looked_at(folder: Path) -> Quarantine:
    """Return what `describe` found in the rows that it looked at."""
    told = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
    return Quarantine(list(read_jsonl(folder / "quarantine.jsonl")), told["rows_sampled"])


def unread_columns(folder: Path) -> set[str]:
    """Return the columns that nothing reads, each behind its source, of the rows that `describe` looked at."""
    told = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
    return {f"{source}: {name}" for source, columns in told.get("columns_not_read", {}).items() for name in columns}


def take(quarantine: Quarantine, drawn: Drawn) -> None:
    """Count the rows that were read for a place, and keep the bad ones; a row that was seen before is kept once."""
    quarantine.seen += drawn.rows
    known = {row["place"] for row in quarantine.rows}
    quarantine.rows += [row for row in map(json.loads, drawn.bad) if row["place"] not in known]


def _held_out(live: LiveRows, settings: DataSettings, rows: int, quarantine: Quarantine) -> list[Sample]:
    """Draw samples to hold out, by row; all rows that ask the same are held out with them.

    Raises:
        DataError: too few rows.
    """
    wanted = settings.held_out or min(LARGEST_DEFAULT_HELD_OUT, max(1, rows // 10))
    if wanted >= rows:
        raise DataError(f"{rows} rows are too few to hold out {wanted} and train on the rest")
    found: dict[str, Sample] = {}
    order = Permutation(rows, live.reading.seed, "held out")
    for place in range(rows):
        RUN.cross("drawing held-out samples")
        _, record = live.row(order[place])
        if record is None:
            continue
        quarantine.seen += 1
        try:
            if isinstance(record.row, str):
                raise RowError(record.row)
            sample = live.reading.read(record.row)
            found.setdefault(content_digest(sample), sample)
        except NotLearned:
            continue
        except RowError as error:
            quarantine.rows.append(json.loads(shown_row(record, str(error))))
        if len(found) == wanted:
            break
    return list(found.values())
