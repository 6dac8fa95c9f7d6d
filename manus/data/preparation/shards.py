"""Shards: the tokens of a part of the data with what selection must know of each sample, whole or absent.

A shard is a folder of flat arrays that gets its name when it is complete. Knows nothing of which samples train.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from manus.data.forms.columns import Columns, Unread, add_unread, count_unread
from manus.data.order.shuffle import Permutation
from manus.data.sample import NotLearned, Row, RowError, Sample, Tokens
from manus.data.sample_digests import content_digest, halves, order_digest, prompt_digest
from manus.data.settings import Source
from manus.data.sources.records import Record, Records, Segments
from manus.data.sources.rows import renamed
from manus.data.tokens.rendering import renderings
from manus.data.tokens.windows import segment_windows, text_windows
from manus.files import put_in_place, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKENS, PIECES, SAMPLES, QUARANTINE, TOLD = "tokens.int32", "pieces.bin", "samples.bin", "quarantine.jsonl", "told.json"
# Where the tokens of a training sample lie in the shard, how many, how many of them are learned, and which sample of the
# shard they come from.
PIECE = np.dtype([("start", "<u8"), ("length", "<u4"), ("learned", "<u4"), ("sample", "<u4")])
# A row that became a sample: 128 bits of the digests of all it says and of what it asks, its place in the draw of the
# held-out split, and what became of it.
SAMPLE = np.dtype([("row", "<u8"), ("content", "<u8", 2), ("prompt", "<u8", 2), ("order", "<u8"), ("fate", "u1")])
FITS, TRUNCATED, TOO_LONG = range(3)
FATES = {TRUNCATED: "truncated to max_length", TOO_LONG: "longer than max_length"}
TOKENS_AT_ONCE = 1 << 18
SAMPLES_AT_ONCE = 1 << 14
LARGEST_QUARANTINE = 1000  # rows that a shard shows; more are counted
LARGEST_REASONS = 200
HALF = re.compile("[\ud800-\udfff]")  # half a character, which UTF-8 cannot write: it stays an escape
LONGEST_SHOWN = 2000  # characters of a bad row


@dataclass(frozen=True, slots=True)
class Task:
    """One shard to be made: rows `first` up to `last` of a file. Of `drawn`, only rows with a place below `draws`."""

    number: int
    source: int
    file: int
    first: int
    last: int
    draws: int | None = None

    @property
    def name(self) -> str:
        """The shard's folder."""
        return f"shard-{self.number:06d}"


@dataclass(frozen=True)
class Reading:
    """How rows become samples and tokens: all that a process needs to make shards."""

    files: list[list[Records]]
    sources: Sequence[Source]
    read: Callable[[Row], Sample]
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    overlap: int
    truncates: bool
    seed: int

    def rows(self, task: Task) -> Iterator[Record]:
        """Yield a task's rows."""
        records = self.files[task.source][task.file]
        numbers = np.arange(task.first, task.last)
        if task.draws is not None:
            numbers = numbers[self.drawn(task.source, task.file).place_of(numbers) < task.draws]
        source = self.sources[task.source]
        for number, place, row in records.read(numbers):
            yield Record(number, place, renamed(row, source) if isinstance(row, dict) else row)

    def drawn(self, source: int, file: int) -> Permutation:
        """Return the order in which a file's rows are drawn where not all are taken."""
        return Permutation(len(self.files[source][file]), self.seed, "rows", source, file)

    def sample(self, source: int, file: int, row: int) -> Sample:
        """Return the sample in a row that is known to be good."""
        record = next(self.files[source][file].read(np.array([row])))
        assert isinstance(record.row, dict), f"{record.place} was a sample when it was read first"
        return self.read(renamed(record.row, self.sources[source]))

    def pieces(self, task: Task, record: Record, sample: Sample) -> tuple[Iterator[Tokens], int]:
        """Return the training samples that a sample gives, and its fate.

        Raises:
            RowError: it cannot be rendered.
        """
        records = self.files[task.source][task.file]
        if "text" in sample and isinstance(records, Segments) and len(records) > 1:
            ends = record.number == 0, records.is_end(record.number)
            return segment_windows(self.tokenizer, sample["text"], *ends, self.max_length, self.overlap), FITS
        if "text" in sample:
            return text_windows(self.tokenizer, sample["text"], self.max_length, self.overlap), FITS
        fitted = [self._fitted(tokens) for tokens in renderings(self.tokenizer, sample)]
        return iter([tokens for tokens, _ in fitted if tokens is not None]), max(fate for _, fate in fitted)

    def _fitted(self, tokens: Tokens) -> tuple[Tokens | None, int]:
        """Return what of a chat is trained, and its fate."""
        if len(tokens.ids) <= self.max_length:
            return tokens, FITS
        if self.truncates and any(tokens.is_learned[: self.max_length]):
            return Tokens(tokens.ids[: self.max_length], tokens.is_learned[: self.max_length]), TRUNCATED
        return None, TOO_LONG


@dataclass
class Told:
    """What there is to say of a shard, or of several. Of rows that were read, `left_out` says that they say of themselves
    that they are not to be learned, and `columns` what of them nothing reads, by source.
    """

    rows: int = 0
    quarantined: int = 0
    samples: int = 0
    pieces: int = 0
    tokens: int = 0
    source_bytes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    columns: Unread = field(default_factory=dict)

    def add(self, other: Told) -> None:
        """Count what another has counted, too."""
        for name in ("rows", "quarantined", "samples", "pieces", "tokens", "source_bytes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.reasons.items():
            self.note(reason, other.first.get(reason, ""), count)
        self.left_out += other.left_out
        for source, columns in other.columns.items():
            add_unread(self.columns, source, columns)

    def note(self, reason: str, place: str, count: int = 1) -> None:
        """Count a reason; those that come after many others are put together."""
        known = reason if reason in self.reasons or len(self.reasons) < LARGEST_REASONS else "other reasons"
        self.reasons[known] += count
        self.first.setdefault(known, place)


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
            made = np.concatenate(self.waiting) if self.dtype == np.int32 else np.array(self.waiting, dtype=self.dtype)
            self.stream.write(made.tobytes())
        self.waiting, self.size = [], 0

    def close(self) -> None:
        self.flush()
        self.stream.close()


def make_shard(reading: Reading, task: Task, folder: Path, cross: Callable[[int], None]) -> Told:
    """Make one shard in a folder of shards and return what there is to say of it.

    Args:
        reading: how rows become tokens.
        task: which rows.
        folder: where the shard will be; a torn one of this name is replaced.
        cross: called after each row with how many were read; may raise to give up.
    """
    staging, told = folder / f"{task.name}.making", Told()
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    tokens = _Buffered(staging / TOKENS, np.dtype(np.int32), TOKENS_AT_ONCE)
    pieces = _Buffered(staging / PIECES, PIECE, SAMPLES_AT_ONCE)
    samples = _Buffered(staging / SAMPLES, SAMPLE, SAMPLES_AT_ONCE)
    with (staging / QUARANTINE).open("w", encoding="utf-8") as quarantine:
        for record in reading.rows(task):
            told.rows += 1
            cross(told.rows)
            try:
                if isinstance(record.row, str):
                    raise RowError(record.row)
                row = Columns.of(record.row)
                sample = reading.read(row)
                made, fate = reading.pieces(task, record, sample)
            except NotLearned as error:
                told.left_out[str(error)] += 1
                continue
            except RowError as error:
                told.quarantined += 1
                told.note(str(error), record.place)
                if told.quarantined <= LARGEST_QUARANTINE:
                    quarantine.write(shown_row(record, str(error)) + "\n")
                continue
            if (source := reading.sources[task.source]).generator is None:
                count_unread(told.columns, source.name, row, sample)
            for piece in made:
                pieces.add((tokens.count, len(piece.ids), sum(piece.is_learned), samples.count))
                tokens.add(_marked(piece), len(piece.ids))
            samples.add(_described(record.number, sample, reading.seed, fate))
    for written in (tokens, pieces, samples):
        written.close()
    told.samples, told.pieces, told.tokens = samples.count, pieces.count, tokens.count
    told.source_bytes = reading.files[task.source][task.file].bytes_of(task.first, task.last)
    write_json(staging / TOLD, {**vars(told)})
    put_in_place(staging, folder / task.name)
    return told


def _marked(tokens: Tokens) -> npt.NDArray[np.int32]:
    """Return ids in which those that are not learned are inverted, and so negative."""
    ids = np.asarray(tokens.ids, dtype=np.int32)
    return np.where(np.asarray(tokens.is_learned, dtype=bool), ids, ~ids)


def _described(row: int, sample: Sample, seed: int, fate: int) -> tuple[Any, ...]:
    asked = prompt_digest(sample)
    return row, halves(content_digest(sample)), halves(asked), int(order_digest(seed, asked)[:16], 16), fate


def shown_row(record: Record, reason: str) -> str:
    """Return a bad row as a line of the quarantine."""
    text = json.dumps(record.row, ensure_ascii=False, default=str)
    row = record.row if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."
    told = {"place": record.place, "reason": reason[:LONGEST_SHOWN], "row": row}
    return json.dumps(told, ensure_ascii=HALF.search(text) is not None, default=str)


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
        if not path.exists():
            return None
        facts = json.loads(path.read_text(encoding="utf-8"))
        counted = {name: Counter(facts[name]) for name in ("reasons", "left_out")}
        columns = {source: Counter(of_source) for source, of_source in facts["columns"].items()}
        return cls(task, folder / task.name, Told(**{**facts, **counted, "columns": columns}))

    def samples(self) -> npt.NDArray[Any]:
        """Return the records of its samples."""
        return np.fromfile(self.folder / SAMPLES, dtype=SAMPLE)

    def pieces(self) -> npt.NDArray[Any]:
        """Return the records of its training samples."""
        return np.fromfile(self.folder / PIECES, dtype=PIECE)
