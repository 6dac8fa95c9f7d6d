"""Reads a stage's sources into pools of samples; what cannot be one goes to the quarantine. Knows nothing of tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, cast

from manus.data.forms.columns import Columns, Unread, count_unread
from manus.data.forms.unread_media import media_in
from manus.data.media.store import Stored
from manus.data.preparation.media_intake import Intake
from manus.data.preparation.quarantine import Quarantine, without_bytes
from manus.data.preparation.split import Pool
from manus.data.sample import NotLearned, Row, RowError, Sample
from manus.data.settings import DataSettings, Source
from manus.data.sources.hub import read_spool
from manus.data.sources.hub_archives import with_archived_media
from manus.data.sources.rows import DEFAULT_GENERATED_HELD_OUT, DEFAULT_GENERATED_ROWS, Located, located_rows, renamed
from manus.guards.run import RUN


@dataclass(frozen=True, slots=True)
class Read:
    """A row, told as the quarantine tells it, and its sample with the media that are kept; or why there is none.

    `is_left_out` says that the row is not bad: it says of itself that it is not to be learned.
    """

    place: str
    row: Any
    sample: Sample | str
    stored: list[Stored]
    is_left_out: bool = False


@dataclass(frozen=True)
class Reader:
    """Makes samples of rows, one after the other; puts aside what cannot be one."""

    read: Callable[[Row], Sample]
    intake: Intake
    quarantine: Quarantine
    unread: Counter[str] = field(default_factory=Counter)  # samples of rows with media that were read as text
    columns: Unread = field(default_factory=dict)  # that nothing reads, by source
    left_out: Counter[str] = field(default_factory=Counter)  # rows that say that they are not to be learned

    def samples(
        self, drawn: Iterator[Located], limit: int | None = None, counted_as: str | None = None
    ) -> list[Sample]:  # fmt: skip
        """Return the samples in rows; no more than `limit`, where there is one.

        Args:
            drawn: the rows.
            limit: how many samples are wanted.
            counted_as: the source for which columns that nothing reads are counted; None: they are not.
        """
        samples: list[Sample] = []
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
                    samples.append(self.intake.taken(read.sample, read.stored))
                except RowError as error:
                    self.quarantine.add(read.place, str(error), read.row)
                if limit is not None and len(samples) >= limit:
                    return samples
        return samples

    def _rows(self, drawn: Iterator[Located], counted_as: str | None) -> Iterator[Read]:
        for folder, place, row in drawn:
            try:
                parts = [row] if isinstance(row, str) else self.intake.rows_in(row)
            except RowError as error:
                yield Read(place, without_bytes(row), str(error), [])
                continue
            for part in parts:
                RUN.cross("reading data")
                yield self._one(folder, place, part, counted_as)

    def _one(self, folder: Path, place: str, row: Row | str, counted_as: str | None) -> Read:
        if isinstance(row, str):
            return Read(place, row, row, [])
        row = Columns.of(row)
        try:
            sample = self.read(row)
            stored = self.intake.stored(sample, folder)
        except RowError as error:
            return Read(place, without_bytes(row), str(error), [], isinstance(error, NotLearned))
        if counted_as is not None:
            count_unread(self.columns, counted_as, row, sample)
        if not stored:
            self.unread.update(media_in(row).keys())
        else:  # the bytes are in the file now
            sample = cast(Sample, {name: value for name, value in sample.items() if name != "media"})
        return Read(place, without_bytes(row) if stored else row, sample, stored)


def pool_of(
    source: Source, settings: DataSettings, reader: Reader, beside: Path, seed: int, from_hub: Path | None
) -> Pool:  # fmt: skip
    """Return the samples of a source; a generator makes its held-out ones apart.

    Args:
        source: where the rows come from.
        settings: how many are wanted.
        reader: makes samples of rows.
        beside: the folder of the recipe, for relative paths.
        seed: where generators and draws start.
        from_hub: the file with a hub data set's rows, where they were brought to the disk.

    Raises:
        DataError: the source cannot be read.
        Interrupted: a signal came.
    """
    drawn: Iterator[Located]
    if from_hub is not None:
        drawn = ((beside, place, renamed(row, source)) for place, row in read_spool(from_hub))
        samples = reader.samples(with_archived_media(source, drawn), counted_as=source.name)
        return Pool(source.title, source.weight, samples)
    if source.generator is None:
        needed = settings.sample_size + (settings.held_out or 0) if settings.sample_size else 0
        is_endless = source.hub is not None and needed > 0
        limit = needed + settings.sample_size // 10 + 200 if is_endless else None
        drawn = with_archived_media(source, located_rows(source, beside, needed, seed, False))
        samples = reader.samples(drawn, limit, source.name)
        return Pool(source.title, source.weight, samples)
    made = source.size or settings.sample_size or DEFAULT_GENERATED_ROWS
    tested = settings.held_out or DEFAULT_GENERATED_HELD_OUT
    train, held_out = (located_rows(source, beside, n, seed, side) for n, side in ((made, False), (tested, True)))
    samples = reader.samples(train)
    return Pool(source.title, source.weight, samples, reader.samples(held_out))
