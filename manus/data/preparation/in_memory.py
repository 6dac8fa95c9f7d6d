"""Turns a stage's sources into prepared training samples, a held-out split and a quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from manus.data.forms.columns import unread_words
from manus.data.media.expansion import Layout, WholeLayout, expanded
from manus.data.media.files import MediaFiles, has_media
from manus.data.preparation.distribution import histogram
from manus.data.preparation.in_shards import prepare_large
from manus.data.preparation.leaks import Asked, check_no_leak
from manus.data.preparation.media_intake import Intake, media_statistics, text_only
from manus.data.preparation.quarantine import Quarantine
from manus.data.preparation.reading import Reader, pool_of
from manus.data.preparation.split import select
from manus.data.prepared.media_numbers import NumbersWritten
from manus.data.prepared.samples import HELD_OUT, write_pairs, write_prompts, write_tokens
from manus.data.sample import Row, RowError, Sample, SampleKind
from manus.data.settings import DataSettings, Source
from manus.data.sources.files import bytes_of_files, is_large
from manus.data.sources.hub import spools
from manus.data.tokens.fitting import Fit, fit_chat, fit_pair, fit_prompt, fit_text, fit_whole, learned_in
from manus.errors import DataError
from manus.files import write_json, write_jsonl
from manus.guards.progress import progress
from manus.guards.ranks import say
from manus.guards.run import RUN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LARGEST_IN_MEMORY = 1_000_000_000  # bytes of rows, of the kinds that are prepared in memory only
_WHY_NOT_INDEXED = (
    "a row with media among data that are indexed: media are never held in memory, but rows with them are; raise "
    "index_above_bytes if there is memory for about five times the rows, and leave mix at epochs"
)


def prepare(
    sources: Sequence[Source],
    settings: DataSettings,
    read: Callable[[Row], Sample],
    kind: SampleKind,
    tokenizer: PreTrainedTokenizerBase,
    beside: Path,
    seed: int,
    folder: Path,
    quarantine_file: Path,
    layout: Layout | None = None,
) -> dict[str, Any]:
    """Prepare a stage's data in `folder` and return its statistics.

    Args:
        sources: where the rows come from.
        settings: split, sizes and limits.
        read: a row as a sample; raises RowError.
        kind: what the samples are, which decides the form of the prepared files.
        tokenizer: one with a chat template.
        beside: the folder of the recipe, for relative paths.
        seed: where the split and the draws start.
        folder: an empty folder for the files of the artifact.
        quarantine_file: where the bad rows go when there are too many.
        layout: what the model makes of media; none: it takes in text only.

    Raises:
        DataError: too many bad rows, or too few samples.
        Interrupted: a signal came.
    """
    from_hub = spools(sources, settings, seed, quarantine_file.parent)
    keeps_media = layout is not None
    if kind in ("messages", "text"):
        if is_large(sources, settings, beside, from_hub.values(), keeps_media):
            read = text_only(read, layout, _WHY_NOT_INDEXED)
            return prepare_large(sources, settings, read, tokenizer, beside, seed, folder, quarantine_file.parent)
    else:
        _check_fits(kind, settings, bytes_of_files(sources, beside, from_hub.values(), keeps_media))
    quarantine, intake = Quarantine(), Intake(folder, layout, settings.fetch_urls, settings.clip_seconds)
    reader = Reader(read, intake, quarantine)
    try:
        pools = [
            pool_of(source, settings, reader, beside, seed, from_hub.get(index)) for index, source in enumerate(sources)
        ]
        quarantine.check(settings.failure_budget, quarantine_file)
        for medium, count in sorted(reader.unread.items()):
            say(f"{count:,} rows have {medium} columns, which this capability does not read: it takes their text alone")
        for title, columns in reader.columns.items():
            say(unread_words(title, columns))
        selection = select(pools, settings.held_out, settings.sample_size, seed)
        if selection.shares_recordings:
            say("all samples are parts of what is held out: parts of one recording stand on both sides of the split")
        intake.finish(selection.train, selection.held_out)
    finally:
        intake.close()
    fit, write = _FORMS[kind]
    tally = _Tally()
    if isinstance(layout, WholeLayout) and has_media(folder):
        fit = fit_whole(layout, MediaFiles(folder))
    lengths = write(folder, _rendered(selection.train, fit, settings, tokenizer, quarantine, tally, layout))
    quarantine.check(settings.failure_budget, quarantine_file)
    if not len(lengths):
        raise DataError(
            f"every sample is longer than max_length {settings.max_length} tokens; raise it or set too_long: truncate"
        )
    write_jsonl(folder / HELD_OUT, selection.held_out)
    write_jsonl(folder / "quarantine.jsonl", quarantine.rows)
    tally.asked.write(folder)
    tally.media.write(folder)
    check_no_leak(folder)
    statistics = {
        "rows": quarantine.seen,
        "quarantined": len(quarantine.rows),
        "train_samples": len(lengths),
        "held_out_samples": len(selection.held_out),
        "tokens": int(lengths.sum()),
        "learned_share": round(tally.learned / int(lengths.sum()), 4),
        "tokens_per_sample": {str(q): int(np.quantile(lengths, q / 100)) for q in (0, 50, 90, 99, 100)},
        "length_histogram": histogram(np.bincount(lengths)),
        "left_aside": {**selection.left_aside, **tally.aside, **reader.left_out},
        "sources": [source.name for source in sources],
    }
    if reader.columns:
        statistics["columns_not_read"] = reader.columns
    if reader.unread:
        statistics["media_not_read"] = dict(sorted(reader.unread.items()))
    if media := media_statistics(folder):
        statistics["media"] = media
    write_json(folder / "statistics.json", statistics)
    return statistics


def _check_fits(kind: SampleKind, settings: DataSettings, size: int) -> None:
    """Refuse what only fits into memory and is too large for that.

    Raises:
        DataError: it is, or its mixture needs what only large data have.
    """
    if settings.mix != "epochs":
        raise DataError(f"mix: {settings.mix} is for texts and chats; samples of kind {kind} take mix: epochs")
    if size > max(settings.index_above_bytes, LARGEST_IN_MEMORY):
        raise DataError(
            f"samples of kind {kind} are prepared in memory, and these are {size:,} bytes; give a sample_size, split "
            f"them, or raise index_above_bytes ({settings.index_above_bytes:,}) if there is memory for about five times that"
        )


@dataclass
class _Tally:
    """What there is to say of the samples that were rendered: why some are not used, what is learned, what they ask."""

    aside: Counter[str] = field(default_factory=Counter)
    learned: int = 0
    asked: Asked = field(default_factory=Asked)
    media: NumbersWritten = field(default_factory=NumbersWritten)


def _rendered(
    samples: Sequence[Sample], fit: Fit, settings: DataSettings, tokenizer: PreTrainedTokenizerBase,
    quarantine: Quarantine, tally: _Tally, layout: Layout | None,
) -> Iterator[Any]:  # fmt: skip
    with progress("tokenise", len(samples), "samples") as advance:
        for index, sample in enumerate(samples, 1):
            RUN.cross("tokenising")
            try:
                pieces = 0
                for piece in fit(tokenizer, expanded(sample, layout), settings, tally.aside):
                    tally.learned += learned_in(piece)
                    pieces += 1
                    yield (sample, piece[1]) if isinstance(piece, tuple) else piece  # a prompt stays as it was
                tally.asked.add(sample, pieces)
                tally.media.add(sample, pieces)
            except RowError as error:
                quarantine.add(f"sample {index}", str(error), sample)
            advance(index)


_FORMS: dict[SampleKind, tuple[Fit, Callable[[Path, Iterator[Any]], npt.NDArray[np.int64]]]] = {
    "text": (fit_text, write_tokens),
    "messages": (fit_chat, write_tokens),
    "preference": (fit_pair, write_pairs),
    "prompt": (fit_prompt, write_prompts),
}
