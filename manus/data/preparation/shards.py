"""Shards: what a part of the data gives to learn, and what the split must know of it, whole or absent.

A shard is a folder that gets its name when it is complete: flat arrays of tokens, or a table of pairs or
prompts; and where rows have media, these. Knows nothing of which samples train.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from manus.data.forms.columns import Unread, add_unread
from manus.data.media.files import MediaFiles, has_media
from manus.data.order.shuffle import Permutation
from manus.data.preparation.media_intake import Intake
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.quarantine import QUARANTINE, Failures, Quarantine, write_entries
from manus.data.preparation.reading import Reader, Taken
from manus.data.preparation.split import RECORDING, SAMPLE, described, recordings_of
from manus.data.prepared.media_numbers import NumbersWritten
from manus.data.prepared.samples import TABLES, ArrowFile
from manus.data.sample import RowError, Sample, SampleKind, Tokens
from manus.data.sample_digests import halves
from manus.data.sources.archives import Archives
from manus.data.sources.hub_archives import Missing, filled
from manus.data.sources.records import Record, Records
from manus.data.sources.rows import Located, renamed
from manus.data.tokens.fitting import FITS, Fitting, learned_in, tokens_in, turns_in
from manus.files import put_in_place, write_json

TOKENS, PIECES, SAMPLES, TEXTS, TOLD = (
    "tokens.int32",
    "pieces.bin",
    "samples.bin",
    "samples.jsonl",
    "told.json",
)
RECORDINGS = "recordings.npy"
# Where a training sample lies in the shard (its first token, or its row in the table), how many tokens it
# has, how many of them are learned, and which sample of the shard it comes from.
PIECE = np.dtype([("start", "<u8"), ("length", "<u4"), ("learned", "<u4"), ("sample", "<u4")])
TOKENS_AT_ONCE = 1 << 18
SAMPLES_AT_ONCE = 1 << 14
LARGEST_QUARANTINE = 1000  # rows that a shard shows; more are counted


@dataclass(frozen=True, slots=True)
class Task:
    """One shard to make: rows `first` to `last` of a file. Of `drawn`, only rows with a place below `draws`.

    A generator's rows that `is_apart` are made to be held out.
    """

    number: int
    source: int
    file: int
    first: int
    last: int
    draws: int | None = None
    is_apart: bool = False

    @property
    def name(self) -> str:
        """The shard's folder."""
        return f"shard-{self.number:06d}"


@dataclass(frozen=True)
class Opened:
    """A file of rows: access by number, and the folder that paths in its rows start from."""

    records: Records
    folder: Path
    is_apart: bool = False


@dataclass(frozen=True)
class Reading:
    """How rows become samples and tokens: all that a process needs to make shards."""

    asked: Preparation
    files: list[list[Opened]]
    archives: dict[int, Archives] = field(
        default_factory=dict
    )  # of the sources whose rows name media in some

    @property
    def fitting(self) -> Fitting:
        """How samples become tokens."""
        return self.asked.fitting

    def records(self, source: int, file: int) -> Records:
        """Return the rows of a file."""
        return self.files[source][file].records

    def located(self, task: Task) -> Iterator[Located]:
        """Yield a task's rows, with our names for their columns."""
        records = self.records(task.source, task.file)
        numbers = np.arange(task.first, task.last)
        if task.draws is not None:
            numbers = numbers[self.drawn(task.source, task.file).place_of(numbers) < task.draws]
        for record in records.read(numbers):
            yield self.located_row(task.source, task.file, record)

    def located_row(self, source: int, file: int, record: Record) -> Located:
        """Return a row as `Reader` takes it."""
        row = renamed(record.row, self.asked.sources[source]) if isinstance(record.row, dict) else record.row
        return Located(self.files[source][file].folder, record.place, row, record.number)

    def drawn(self, source: int, file: int) -> Permutation:
        """Return the order in which a file's rows are drawn where not all are taken."""
        return Permutation(len(self.records(source, file)), self.asked.seed, "rows", source, file)

    def sample(self, source: int, file: int, row: int) -> Sample:
        """Return the sample in a row that is known to be good, and to hold no media."""
        record = next(self.records(source, file).read(np.array([row])))
        located = self.located_row(source, file, record)
        assert isinstance(located.row, dict), f"{record.place} was a sample when it was read first"
        return self.asked.read(located.row)


@dataclass
class Told:
    """What there is to say of a shard, or of several.

    Of the rows, `left_out` says how many say of themselves that they are not to be learned, `columns` what of
    them nothing reads, by source, and `unread` how many have media that are not read.
    """

    failures: Failures = field(default_factory=Failures)
    samples: int = 0
    pieces: int = 0
    tokens: int = 0
    media: int = 0
    source_bytes: int = 0
    unread: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    columns: Unread = field(default_factory=dict)
    missing: Missing = field(default_factory=Missing)

    def add(self, other: Told) -> None:
        """Count what another has counted, too."""
        for name in ("samples", "pieces", "tokens", "media", "source_bytes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures.add_all(other.failures)
        self.missing.add_all(other.missing)
        self.unread.update(other.unread)
        self.left_out.update(other.left_out)
        for source, columns in other.columns.items():
            add_unread(self.columns, source, columns)

    def write(self, path: Path) -> None:
        """Write it down."""
        write_json(path, {**vars(self), "failures": vars(self.failures), "missing": vars(self.missing)})

    @classmethod
    def read(cls, path: Path) -> Told:
        """Return what was written down."""
        facts = json.loads(path.read_text(encoding="utf-8"))
        failures = {**facts.pop("failures")}
        failures["reasons"] = Counter(failures["reasons"])
        facts |= {name: Counter(facts[name]) for name in ("unread", "left_out")}
        facts["columns"] = {source: Counter(columns) for source, columns in facts["columns"].items()}
        return cls(**facts | {"failures": Failures(**failures), "missing": Missing(**facts["missing"])})


class _Buffered:
    """A file of records of one type that are written many at a time."""

    def __init__(self, path: Path, dtype: np.dtype[Any], at_once: int) -> None:
        self.stream = path.open("wb")
        self.dtype, self.at_once = dtype, at_once
        self.waiting: list[Any] = []
        self.size = 0
        self.count = 0

    def add(self, value: Any, size: int = 1) -> None:
        self.waiting.append(value)
        self.count += size
        self.size += size
        if self.size >= self.at_once:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            made = (
                np.concatenate(self.waiting)
                if self.dtype == np.int32
                else np.array(self.waiting, dtype=self.dtype)
            )
            self.stream.write(made.tobytes())
        self.waiting, self.size = [], 0

    def close(self) -> None:
        self.flush()
        self.stream.close()


class _Contents(Protocol):
    """A file of what training samples hold, one after the other."""

    count: int

    def add(self, piece: Any) -> None: ...
    def close(self) -> None: ...


class _TokenFile(_Buffered):
    """Tokens; those that are not learned are inverted, and so negative."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / TOKENS, np.dtype(np.int32), TOKENS_AT_ONCE)

    def add(self, value: Tokens, size: int = 1) -> None:
        ids = np.asarray(value.ids, dtype=np.int32)
        super().add(np.where(np.asarray(value.is_learned, dtype=bool), ids, ~ids), len(ids))


def make_shard(reading: Reading, task: Task, folder: Path, cross: Callable[[int], None]) -> Told:
    """Make one shard in a folder of shards and return what there is to say of it.

    Args:
        reading: how rows become tokens.
        task: which rows.
        folder: where the shard will be; a torn one of this name is replaced.
        cross: called before each row with how many were read; may raise to give up.
    """
    asked, staging, told = reading.asked, folder / f"{task.name}.making", Told()
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    quarantine = Quarantine(most=LARGEST_QUARANTINE)
    settings = asked.settings
    intake = Intake(staging, asked.layout, settings.fetch_urls, settings.clip_seconds, looks_beside=False)
    reader = Reader(
        asked.read,
        intake,
        quarantine,
        told.unread,
        told.columns,
        told.left_out,
        lambda: cross(quarantine.seen + 1),
    )
    source = asked.sources[task.source]
    counted_as = source.name if source.generator is None else None
    written: _Written | None = None
    try:
        rows = filled(reading.located(task), reading.archives.get(task.source), told.missing)
        taken = _finished(reader.taken(rows, counted_as), intake)
        files = MediaFiles(staging) if has_media(staging) else None
        written = _Written(staging, asked.kind, asked.seed, _is_kept(taken, files))
        for one in taken:
            try:
                ends = reading.records(task.source, task.file).ends(one.number)
                fitted = (iter(()), FITS) if task.is_apart else reading.fitting.fit(one.sample, files, ends)
            except RowError as error:
                quarantine.add(one.place, str(error), one.row)
                continue
            written.add(one, *fitted)
    finally:
        intake.close()
        if written is not None:
            written.close()
    write_entries(staging / QUARANTINE, quarantine.rows)
    told.failures.add_all(quarantine)
    told.samples, told.pieces, told.tokens = written.samples.count, written.pieces.count, written.tokens
    told.media = len(files) if files is not None else 0
    told.source_bytes = reading.records(task.source, task.file).bytes_of(task.first, task.last)
    told.write(staging / TOLD)
    put_in_place(staging, folder / task.name)
    return told


def _finished(taken: Iterator[Taken], intake: Intake) -> Iterable[Taken]:
    """Return samples with their media's numbers; a shard's are held for that if a model takes media in."""
    if intake.layout is None:
        return taken
    found = list(taken)
    samples = [one.sample for one in found]
    intake.finish(samples)
    return [replace(one, sample=sample) for one, sample in zip(found, samples, strict=True)]


def _is_kept(taken: Iterable[Taken], files: MediaFiles | None) -> bool:
    """Tell whether samples are written down: rows with media, or that give several, cannot be read again."""
    return files is not None or (isinstance(taken, list) and any(one.part for one in taken))


class _Written:
    """The files of a shard while they are written."""

    def __init__(self, folder: Path, kind: SampleKind, seed: int, keeps_samples: bool) -> None:
        self.folder, self.seed = folder, seed
        self.contents: _Contents = ArrowFile(folder, kind) if kind in TABLES else _TokenFile(folder)
        self.pieces = _Buffered(folder / PIECES, PIECE, SAMPLES_AT_ONCE)
        self.samples = _Buffered(folder / SAMPLES, SAMPLE, SAMPLES_AT_ONCE)
        self.texts = (folder / TEXTS).open("wb") if keeps_samples else None
        self.media, self.recordings = NumbersWritten(), list[tuple[int, tuple[int, int]]]()
        self.tokens = 0

    def add(self, one: Taken, pieces: Iterator[Any], fate: int) -> None:
        shown: list[int | None] = []
        for piece in pieces:
            tokens = tokens_in(piece)
            self.pieces.add((self.contents.count, tokens, learned_in(piece), self.samples.count))
            self.contents.add(piece)
            self.tokens += tokens
            shown.append(turns_in(piece))
        row = one.number
        if self.texts is not None:
            row = self.texts.tell()
            self.texts.write(json.dumps(one.sample).encode() + b"\n")
            self.media.add(one.sample, shown)
        self.recordings += [(self.samples.count, halves(one)) for one in sorted(recordings_of(one.sample))]
        self.samples.add(described(row, one.sample, self.seed, fate))

    def close(self) -> None:
        for file in (self.contents, self.pieces, self.samples, self.texts):
            if file is not None:
                file.close()
        self.media.write(self.folder)
        if self.recordings:
            np.save(self.folder / RECORDINGS, np.array(self.recordings, dtype=RECORDING))


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished shard."""

    task: Task
    folder: Path
    told: Told

    @classmethod
    def read(cls, task: Task, folder: Path) -> Shard | None:
        """Return a task's shard if it is there."""
        path = folder / task.name / TOLD
        return cls(task, folder / task.name, Told.read(path)) if path.exists() else None

    @property
    def source(self) -> int:
        """Which source its samples are of."""
        return self.task.source

    @property
    def is_apart(self) -> bool:
        """Whether its samples were made to be held out."""
        return self.task.is_apart

    @property
    def count(self) -> int:
        """How many samples it has."""
        return self.told.samples

    def samples(self) -> npt.NDArray[Any]:
        """Return what is told of each sample."""
        return np.fromfile(self.folder / SAMPLES, dtype=SAMPLE)

    def recordings(self) -> npt.NDArray[Any]:
        """Return the recordings that its samples hold parts of."""
        path = self.folder / RECORDINGS
        found: npt.NDArray[Any] = np.load(path) if path.exists() else np.empty(0, dtype=RECORDING)
        return found

    def pieces(self) -> npt.NDArray[Any]:
        """Return the records of its training samples."""
        return np.fromfile(self.folder / PIECES, dtype=PIECE)

    def sample(self, row: int, reading: Reading) -> Sample:
        """Return a sample by where it is found again; its media have their numbers in the shard."""
        if not (self.folder / TEXTS).exists():
            return reading.sample(self.task.source, self.task.file, row)
        with (self.folder / TEXTS).open("rb") as stream:
            stream.seek(row)
            found: Sample = json.loads(stream.readline())
        return found


def first_numbers(shards: Sequence[Shard]) -> list[int]:
    """Return the number among all media of each shard's first one, and at the end how many there are."""
    return list(accumulate((shard.told.media for shard in shards), initial=0))
