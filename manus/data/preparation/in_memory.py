"""Prepares data that fit into memory: all samples are held, split, and tokenised one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manus.data.media.files import MediaFiles, has_media
from manus.data.preparation.leaks import Asked, check_no_leak
from manus.data.preparation.media_intake import Intake
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.quarantine import QUARANTINE, Quarantine, write_entries
from manus.data.preparation.reading import Reader, pool_of, tell_unread
from manus.data.preparation.split import select, tell_shared
from manus.data.preparation.statistics import Lengths, check_some_fit, statistics
from manus.data.prepared.media_numbers import NumbersWritten
from manus.data.prepared.samples import HELD_OUT, write_pairs, write_prompts, write_speech, write_tokens
from manus.data.sample import RowError, Sample, SampleKind
from manus.data.tokens.fitting import FATES, Piece, learned_in, turns_in
from manus.files import write_jsonl
from manus.guards.progress import progress
from manus.guards.run import RUN


def prepare_in_memory(asked: Preparation, from_hub: Mapping[int, Path]) -> dict[str, Any]:
    """Prepare a stage's data and return their statistics.

    Args:
        asked: the data, and what becomes of them.
        from_hub: the rows of hub data sets that were brought to the disk, by the source's place.

    Raises:
        DataError: too many bad rows, or too few samples.
        Interrupted: a signal came.
    """
    settings, folder = asked.settings, asked.folder
    quarantine = Quarantine()
    intake = Intake(folder, asked.layout, settings.fetch_urls, settings.clip_seconds)
    reader = Reader(asked.read, intake, quarantine)
    try:
        pools = [
            pool_of(source, asked, reader, from_hub.get(index)) for index, source in enumerate(asked.sources)
        ]
        quarantine.check(settings.failure_budget, asked.bad_rows)
        tell_unread(reader.unread, reader.columns)
        selection = select(pools, settings.held_out, settings.sample_size, asked.seed, asked.work)
        tell_shared(selection.shares_recordings)
        intake.finish(selection.train, selection.held_out)
    finally:
        intake.close()
    tally = _Tally()
    lengths = WRITERS[asked.kind](folder, _fitted(asked, selection.train, quarantine, tally))
    quarantine.check(settings.failure_budget, asked.bad_rows)
    check_some_fit(len(lengths), settings.max_length)
    write_jsonl(folder / HELD_OUT, selection.held_out)
    write_entries(folder / QUARANTINE, quarantine.rows)
    tally.asked.write(folder)
    tally.media.write(folder)
    check_no_leak(folder)
    return statistics(
        quarantine,
        Lengths.of(lengths, tally.learned),
        len(selection.held_out),
        {**selection.left_aside, **tally.aside, **reader.left_out},
        asked.names,
        reader.unread,
        reader.columns,
        folder,
    )


WRITERS: dict[SampleKind, Callable[[Path, Iterator[Any]], npt.NDArray[np.int64]]] = {
    "text": write_tokens,
    "messages": write_tokens,
    "preference": write_pairs,
    "prompt": write_prompts,
    "speech": write_speech,
}


@dataclass
class _Tally:
    """What there is to say of rendered samples: why some are not used, what is learned, what they ask."""

    aside: Counter[str] = field(default_factory=Counter)
    learned: int = 0
    asked: Asked = field(default_factory=Asked)
    media: NumbersWritten = field(default_factory=NumbersWritten)


def _fitted(
    asked: Preparation, samples: Sequence[Sample], quarantine: Quarantine, tally: _Tally
) -> Iterator[Piece]:
    fitting, files = asked.fitting, MediaFiles(asked.folder) if has_media(asked.folder) else None
    with progress("tokenise", len(samples), "samples") as advance:
        for index, sample in enumerate(samples, 1):
            RUN.cross("tokenising")
            try:
                pieces, fate = fitting.fit(sample, files)
                if fate in FATES:
                    tally.aside[FATES[fate]] += 1
                written: list[int | None] = []
                for piece in pieces:
                    tally.learned += learned_in(piece)
                    written.append(turns_in(piece))
                    yield piece
                tally.asked.add(sample, len(written))
                tally.media.add(sample, written)
            except RowError as error:
                quarantine.add(f"sample {index}", str(error), sample)
            advance(index)
