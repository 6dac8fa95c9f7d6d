"""Reads a stage's sources into pools of samples; other rows go to the quarantine. Knows nothing of tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, cast

from manus.data.forms.columns import Columns, Unread, count_unread, unread_words
from manus.data.forms.unread_media import media_in
from manus.data.media.store import Stored
from manus.data.preparation.media_intake import Intake
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.quarantine import Quarantine, without_bytes
from manus.data.preparation.split import Pool
from manus.data.sample import NotLearned, Row, RowError, Sample
from manus.data.settings import DataSettings, Source
from manus.data.sources.hub import read_spool
from manus.data.sources.hub_archives import with_archived_media
from manus.data.sources.rows import (
    DEFAULT_GENERATED_HELD_OUT,
    DEFAULT_GENERATED_ROWS,
    Located,
    located_rows,
    renamed,
)
from manus.guards.ranks import say
from manus.guards.run import RUN


@dataclass(frozen=True, slots=True)
class Read:
    """A row, told as the quarantine tells it, and its sample with the media kept; or why there is none.

    `number` is that of the row; `part` which of the samples of its row it is. `is_left_out` says that the row
    is not bad: it says of itself that it is not to be learned.
    """

    place: str
    row: Any
    sample: Sample | str
    stored: list[Stored]
    number: int = 0
    part: int = 0
    is_left_out: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """A row that became a sample, whose media are kept."""

    place: str
    row: Any
    sample: Sample
    number: int
    part: int


def _cross() -> None:
    RUN.cross("reading data")


@dataclass(frozen=True)
class Reader:
    """Makes samples of rows, one after the other; puts aside what cannot be one."""

    read: Callable[[Row], Sample]
    intake: Intake
    quarantine: Quarantine
    unread: Counter[str] = field(default_factory=Counter)  # samples of rows with media that were read as text
    columns: Unread = field(default_factory=dict)  # that nothing reads, by source
    left_out: Counter[str] = field(default_factory=Counter)  # rows that say that they are not to be learned
    cross: Callable[[], None] = _cross  # called before each row; may raise to give up

    def samples(
        self, drawn: Iterator[Located], limit: int | None = None, counted_as: str | None = None
    ) -> list[Sample]:
        """Return the samples in rows; no more than `limit`, if any; `counted_as` as `taken` has it."""
        return [taken.sample for taken in islice(self.taken(drawn, counted_as), limit)]

    def taken(self, drawn: Iterator[Located], counted_as: str | None = None) -> Iterator[Taken]:
        """Yield the rows that became samples.

        Args:
            drawn: the rows.
            counted_as: the source for which columns that nothing reads are counted; None: they are not.
        """
        pending = self._rows(drawn, counted_as)
        while some := list(islice(pending, self.intake.rows_at_once)):
            self.intake.check(one for read in some for one in read.stored)
            for read in some:
                self.quarantine.seen += 1
                if read.is_left_out:
                    self.left_out[str(read.sample)] += 1
                    continue
                try:
                    if isinstance(read.sample, str):
                        raise RowError(read.sample)
                    sample = self.intake.taken(read.sample, read.stored)
                except RowError as error:
                    self.quarantine.add(read.place, str(error), read.row)
                    continue
                yield Taken(read.place, read.row, sample, read.number, read.part)

    def _rows(self, drawn: Iterator[Located], counted_as: str | None) -> Iterator[Read]:
        for one in drawn:
            try:
                parts: Sequence[Row | str] = (
                    [one.row] if isinstance(one.row, str) else self.intake.rows_in(one.row)
                )
            except RowError as error:
                yield Read(one.place, without_bytes(one.row), str(error), [])
                continue
            for part, row in enumerate(parts):
                self.cross()
                yield self._one(one, row, part, counted_as)

    def _one(self, one: Located, row: Row | str, part: int, counted_as: str | None) -> Read:
        if isinstance(row, str):
            return Read(one.place, row, row, [])
        row = Columns.of(row)
        try:
            sample = self.read(row)
            stored = self.intake.stored(sample, one.folder)
        except RowError as error:
            return Read(
                one.place, without_bytes(row), str(error), [], is_left_out=isinstance(error, NotLearned)
            )
        if counted_as is not None:
            count_unread(self.columns, counted_as, row, sample)
        if not stored:
            self.unread.update(media_in(row).keys())
        else:  # the bytes are in the file now
            sample = cast(Sample, {name: value for name, value in sample.items() if name != "media"})
        return Read(one.place, without_bytes(row) if stored else row, sample, stored, one.number, part)


def pool_of(source: Source, asked: Preparation, reader: Reader, from_hub: Path | None) -> Pool:
    """Return the samples of a source; a generator makes its held-out ones apart.

    Args:
        source: where the rows come from.
        asked: how many are wanted, and what the source is read with.
        reader: makes samples of rows.
        from_hub: the file with a hub data set's rows, where they were brought to the disk.

    Raises:
        DataError: the source cannot be read.
        Interrupted: a signal came.
    """
    settings, beside, seed = asked.settings, asked.beside, asked.seed
    drawn: Iterator[Located]
    if from_hub is not None:
        drawn = (Located(beside, place, renamed(row, source)) for place, row in read_spool(from_hub))
        return Pool(
            source.title, source.weight, reader.samples(with_archived_media(source, drawn), None, source.name)
        )
    if source.generator is None:
        needed = settings.sample_size + (settings.held_out or 0) if settings.sample_size else 0
        is_endless = source.hub is not None and needed > 0
        limit = needed + settings.sample_size // 10 + 200 if is_endless else None
        drawn = with_archived_media(source, located_rows(source, beside, needed, seed, False))
        return Pool(source.title, source.weight, reader.samples(drawn, limit, source.name))
    train, held_out = (
        located_rows(source, beside, made, seed, side)
        for made, side in zip(rows_to_generate(source, settings), (False, True), strict=True)
    )
    samples = reader.samples(train)
    return Pool(source.title, source.weight, samples, reader.samples(held_out))


def rows_to_generate(source: Source, settings: DataSettings) -> tuple[int, int]:
    """Return how many rows a generator makes to train on, and how many to hold out."""
    train = source.size or settings.sample_size or DEFAULT_GENERATED_ROWS
    return train, settings.held_out or DEFAULT_GENERATED_HELD_OUT


def tell_unread(unread: Mapping[str, int], columns: Unread) -> None:
    """Say how many rows have media that are not read, and which columns of each source nothing reads."""
    for medium, count in sorted(unread.items()):
        say(
            f"{count:,} rows have {medium} columns, "
            "which this capability does not read: it takes their text alone"
        )
    for name, counted in columns.items():
        say(unread_words(name, counted))
