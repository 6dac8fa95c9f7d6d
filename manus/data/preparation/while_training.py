"""Rows that are tokenised while a model trains: no pass before, and any place of any epoch at once.

What is fixed ahead is little: the number of rows, the held-out samples, and what a few rows tell of all. A
place of an epoch is a row; where that row cannot train (it is held out, bad, blank or too long), another one,
drawn by the seed, stands in for it. So every step is full, and what it holds follows from its number alone.
Knows nothing of models.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from manus.data.forms.columns import Columns, Unread, add_unread
from manus.data.order.mixing import Mixture, times_seen
from manus.data.order.shuffle import Permutation
from manus.data.preparation.leaks import ASKED, asked_by, check_no_leak
from manus.data.preparation.media_intake import text_only
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.quarantine import QUARANTINE, Entry, Quarantine, shown, write_entries
from manus.data.preparation.reading import tell_unread
from manus.data.preparation.shards import Opened, Reading
from manus.data.preparation.split import LARGEST_DEFAULT_HELD_OUT, is_among, prompts_of, shares_of
from manus.data.preparation.statistics import STATISTICS, Lengths, statistics
from manus.data.prepared.samples import HELD_OUT, read_held_out, write_tokens
from manus.data.sample import NotLearned, RowError, Sample, Tokens
from manus.data.sample_digests import content_digest, halves, prompt_digest
from manus.data.settings import DataSettings
from manus.data.sources.cache import cache_folder
from manus.data.sources.files import data_files
from manus.data.sources.formats import records_of
from manus.data.sources.records import Records
from manus.data.sources.rows import Located
from manus.data.sources.text_files import Segments
from manus.data.tokens.fitting import FATES, learned_in
from manus.data.tokens.windows import segment_windows, text_windows
from manus.errors import DataError
from manus.files import read_jsonl, write_json, write_jsonl
from manus.guards.progress import progress
from manus.guards.ranks import say
from manus.guards.run import RUN
from manus.store.digests import Digests

LAYOUT, SAMPLED = "on_the_fly.json", "sampled"
ROWS_SAMPLED = 2000
MOST_STAND_INS = 100  # in a row; whoever needs more has data in which next to nothing can train
BYTES_OF_A_TOKEN = 3  # of a long text: windows of it are about full, and none is lost
LONGEST_SEARCH_CHARACTERS = 8  # for each token of a window, of a long row
WHY_NO_MEDIA = "a row with media, which are not kept where rows are not prepared; set prepare: ahead"
WORD = re.compile(r"\s\S")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What stands at a place of an epoch: samples, the rows read for them, and the bad ones, as JSON lines.

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
        self.seed, self.fitting = reading.asked.seed, reading.fitting
        counts = [[len(one.records) for one in some] for some in reading.files]
        self.mixture = Mixture([sum(some) for some in counts], times, self.seed)
        self.files = [(source, file) for source, some in enumerate(counts) for file in range(len(some))]
        self.ends = np.cumsum([count for some in counts for count in some])
        self.stamps = [_stamp(self.records(*place)) for place in self.files]

    def __len__(self) -> int:
        return len(self.mixture)

    def records(self, source: int, file: int) -> Records:
        """Return the rows of a file of a source."""
        return self.reading.records(source, file)

    def at(self, epoch: int, place: int) -> Drawn:
        """Return what stands at a place of an epoch.

        Raises:
            DataError: nothing there can train, or the file was changed.
        """
        rows, bad, fates = 0, list[str](), list[str]()
        for attempt in range(MOST_STAND_INS):
            index = (
                place if not attempt else Permutation(len(self), self.seed, "instead", epoch, attempt)[place]
            )
            row = self.row(int(self.mixture.at([index])[0]))
            if row is None:
                continue
            rows += 1
            try:
                columns, sample = self.sample(row)
                asked = prompt_digest(sample)
                if self.is_held_out(asked):
                    fates.append("same prompt as a held-out sample")
                    continue
                tokens, fate = self.tokens(row, sample, epoch)
            except NotLearned as error:
                fates.append(str(error))
                continue
            except RowError as error:
                bad.append(json.dumps(row.shown(str(error)), ensure_ascii=False, default=str))
                continue
            if fate:
                fates.append(fate)
            if tokens:
                return Drawn(tokens, rows, bad, fates, asked, tuple(columns.unread(sample)), row.source)
        why = (
            bad[0] if bad else "; ".join(f"{count} x {fate}" for fate, count in Counter(fates).most_common(3))
        )
        raise DataError(f"of {MOST_STAND_INS} rows drawn in turn none can train: {why or 'all are blank'}")

    def row(self, number: int) -> FoundRow | None:
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
        if record is None:
            return None
        name = self.reading.asked.sources[source].name
        return FoundRow(records, self.reading.located_row(source, file, record), name)

    def sample(self, row: FoundRow) -> tuple[Columns, Sample]:
        """Return a row that remembers what was read of it, and its sample.

        Raises:
            RowError: there is none.
        """
        if isinstance(row.located.row, str):
            raise RowError(row.located.row)
        columns = Columns.of(row.located.row)
        return columns, self.reading.asked.read(columns)

    def is_held_out(self, asked: str) -> bool:
        """Tell whether a prompt, given by its digest, is held out."""
        return bool(is_among(np.array([halves(asked)], dtype=np.uint64), self.asked)[0])

    def tokens(self, row: FoundRow, sample: Sample, epoch: int) -> tuple[list[Tokens], str]:
        """Return what a sample gives to learn in an epoch, and what became of it if that is not all of it."""
        if "text" not in sample or isinstance(row.records, Segments):
            made, fate = self.fitting.fit(sample, ends=row.records.ends(row.located.number))
            return cast("list[Tokens]", list(made)), FATES.get(fate, "")
        place = hashlib.sha256(f"{self.seed}:{epoch}:{row.located.place}".encode()).digest()
        return self.one_window(sample["text"], int.from_bytes(place[:8], "little"))

    def one_window(self, text: str, draw: int) -> tuple[list[Tokens], str]:
        """Return one window of a text, drawn by a number; of a long text only that part is tokenised."""
        words, settings = self.fitting.tokenizer, self.fitting.settings
        cut = (settings.max_length, settings.window_overlap)
        longest = LONGEST_SEARCH_CHARACTERS * settings.max_length
        if len(text) <= longest:
            found = list(text_windows(words, text, *cut))
            chosen = found[draw % len(found)] if found else None
            return [chosen] if chosen else [], "one window of a longer text" if len(found) > 1 else ""
        begin = draw % (len(text) - longest + 1)
        if begin and (word := WORD.search(text, begin, begin + longest // 2)):
            begin = word.start()
        some, is_end = text[begin : begin + longest], begin + longest >= len(text)
        return [next(segment_windows(words, some, begin == 0, is_end, *cut))], "one window of a longer text"


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row, the file that it stands in, and what its source is called."""

    records: Records
    located: Located
    source: str

    def shown(self, reason: str) -> Entry:
        """Return it as a bad row."""
        return shown(self.located.place, reason, self.located.row)


def _stamp(records: Records) -> tuple[int, int]:
    """Return what tells that a file is as it was."""
    file = getattr(records, "file", None)
    assert isinstance(file, int), "rows that are read one by one keep their file open"
    found = os.fstat(file)
    return found.st_size, found.st_mtime_ns


def open_rows(asked: Preparation, folder: Path | None = None) -> LiveRows:
    """Open the files of a stage for training.

    Args:
        asked: local files, of messages or of text.
        folder: of the artifact that `describe` made: its held-out samples are left out, its files must be the
            same.

    Raises:
        DataError: a file is missing, of a kind without rows by number, or another one than in the artifact.
        Interrupted: a signal came.
    """
    digests, files, names = Digests(), list[list[Opened]](), list[list[str]]()
    for source in asked.sources:
        found = data_files(source, asked.beside)
        names.append([digests.of_file(path) for path in found])
        files.append(
            [
                Opened(_opened(path, digest, asked.settings), path.parent)
                for path, digest in zip(found, names[-1], strict=True)
            ]
        )
    digests.save()
    if folder is not None and json.loads((folder / LAYOUT).read_text(encoding="utf-8"))["sha256"] != names:
        titles = ", ".join(source.title for source in asked.sources)
        raise DataError(
            f"data {titles}: the files are not those that were held out from; run `manus plan`, then again"
        )
    reading = Reading(replace(asked, read=text_only(asked.read, asked.layout, WHY_NO_MEDIA)), files)
    return LiveRows(reading, _times(asked, files), read_held_out(folder) if folder else ())


def _opened(path: Path, digest: str, settings: DataSettings) -> Records:
    records = records_of(path, digest, cache_folder(), segment_bytes=BYTES_OF_A_TOKEN * settings.max_length)
    if records is None or not hasattr(records, "file"):
        raise DataError(
            f"data {path}: prepare: never reads rows one by one, which {path.suffix} does not allow; "
            "give .jsonl, .csv, .tsv or text, or set prepare: ahead"
        )
    return records


def _times(asked: Preparation, files: Sequence[Sequence[Opened]]) -> list[float]:
    """Return how often the rows of each source are seen in an epoch, `sample_size` considered."""
    settings, counts = asked.settings, [sum(len(one.records) for one in some) for some in files]
    times = times_seen([source.weight for source in asked.sources], counts, settings.mix, settings.until)
    epoch = sum(time * count for time, count in zip(times, counts, strict=True))
    scale = min(1.0, settings.sample_size / epoch) if settings.sample_size and epoch else 1.0
    return [time * scale for time in times]


def describe(asked: Preparation) -> dict[str, Any]:
    """Write what is fixed before the training of a stage with `prepare: never`; return its statistics.

    Reads the held-out samples and ROWS_SAMPLED rows from all over the files: lengths, bad rows and what is
    left aside are known of these only. Duplicates are not looked for.

    Raises:
        DataError: as `open_rows`, or too many bad rows, or too few samples.
        Interrupted: a signal came.
    """
    settings, folder = asked.settings, asked.folder
    everything = open_rows(asked)
    rows = int(everything.ends[-1]) if len(everything.ends) else 0
    say(f"prepare: never: {rows:,} rows are tokenised while training; duplicates are not looked for")
    quarantine = Quarantine()
    held_out = _held_out(everything, settings, rows, quarantine)
    write_jsonl(folder / HELD_OUT, held_out)
    live = LiveRows(everything.reading, _times(asked, everything.reading.files), held_out)
    fates: Counter[str] = Counter()
    unread: Unread = {}
    learned = 0

    def sampled() -> Iterator[Tokens]:
        nonlocal learned
        places = Permutation(len(live), asked.seed, "sampled").at(np.arange(min(len(live), ROWS_SAMPLED)))
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
    quarantine.check(settings.failure_budget, asked.bad_rows)
    check_no_leak(folder)
    write_entries(folder / QUARANTINE, quarantine.rows)
    digests = Digests()
    files = [[digests.of_file(path) for path in data_files(source, asked.beside)] for source in asked.sources]
    write_json(folder / LAYOUT, {"version": 1, "sha256": files, "rows": rows, "places": len(live)})
    tell_unread({}, unread)
    return statistics(
        quarantine,
        Lengths.of(lengths, learned),
        len(held_out),
        fates,
        asked.names,
        Counter(),
        unread,
        folder,
        rows=rows,
        train_samples=len(live),
        rows_sampled=quarantine.seen,
        tokens=round(int(lengths.sum()) * len(live) / max(1, min(len(live), ROWS_SAMPLED))),
    )


def looked_at(folder: Path) -> Quarantine:
    """Return what `describe` found in the rows that it looked at."""
    told = json.loads((folder / STATISTICS).read_text(encoding="utf-8"))
    return Quarantine.of(read_jsonl(folder / QUARANTINE), told["rows_sampled"])


def unread_columns(folder: Path) -> set[str]:
    """Return the columns that nothing reads, each with its source, of the rows that `describe` looked at."""
    told = json.loads((folder / STATISTICS).read_text(encoding="utf-8"))
    return {
        f"{source}: {name}"
        for source, columns in told.get("columns_not_read", {}).items()
        for name in columns
    }


def take(quarantine: Quarantine, drawn: Drawn) -> None:
    """Count the rows that were read for a place, and keep the bad ones; one seen before is kept once."""
    quarantine.seen += drawn.rows
    known = {row["place"] for row in quarantine.rows}
    for row in map(json.loads, drawn.bad):
        if row["place"] not in known:
            quarantine.take(row)


def _held_out(live: LiveRows, settings: DataSettings, rows: int, quarantine: Quarantine) -> list[Sample]:
    """Draw samples to hold out, by row, at least one a source; all rows that ask the same go with them.

    Raises:
        DataError: too few rows.
    """
    wanted = settings.held_out or min(LARGEST_DEFAULT_HELD_OUT, max(1, rows // 10))
    if wanted >= rows:
        raise DataError(f"{rows} rows are too few to hold out {wanted} and train on the rest")
    found: dict[str, Sample] = {}
    sizes: list[int] = live.mixture.sizes.tolist()
    for source, (share, size) in enumerate(zip(shares_of(wanted, sizes), sizes, strict=True)):
        first, missing = sum(sizes[:source]), share
        order = Permutation(size, live.seed, "held out", *([source] if source else []))
        for place in range(size):
            if not missing:
                break
            RUN.cross("drawing held-out samples")
            row = live.row(first + order[place])
            if row is None:
                continue
            quarantine.seen += 1
            try:
                _, sample = live.sample(row)
            except NotLearned:
                continue
            except RowError as error:
                quarantine.take(row.shown(str(error)))
                continue
            missing -= content_digest(sample) not in found
            found.setdefault(content_digest(sample), sample)
    return list(found.values())
