"""Chooses how a stage's data are prepared: in memory, in shards, or not before training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.data.media.expansion import Layout
from manus.data.preparation.in_memory import prepare_in_memory
from manus.data.preparation.in_shards import prepare_in_shards
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.while_training import describe
from manus.data.sample import Row, Sample, SampleKind
from manus.data.settings import DataSettings, Source
from manus.data.sources.files import is_large
from manus.data.sources.hub import is_spooled, spooled

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def prepare(
    sources: Sequence[Source],
    settings: DataSettings,
    read: Callable[[Row], Sample],
    kind: SampleKind,
    tokenizer: PreTrainedTokenizerBase,
    beside: Path,
    seed: int,
    folder: Path,
    work: Path,
    layout: Layout | None = None,
) -> dict[str, Any]:
    """Prepare a stage's data in `folder` and return their statistics; arguments are those of `Preparation`.

    Raises:
        DataError: too many bad rows, or too few samples.
        Interrupted: a signal came.
    """
    return prepared(Preparation(sources, settings, read, kind, tokenizer, beside, seed, folder, work, layout))


def prepared(asked: Preparation) -> dict[str, Any]:
    """Prepare a stage's data and return their statistics; raises as `prepare` does."""
    if asked.settings.prepare == "never":
        return describe(asked)
    from_hub = _from_hub(asked, is_all=False)
    if is_large(asked.sources, asked.settings, asked.beside, from_hub.values(), asked.layout is not None):
        return prepare_in_shards(asked, from_hub | _from_hub(asked, is_all=True))
    return prepare_in_memory(asked, from_hub)


def _from_hub(asked: Preparation, is_all: bool) -> dict[int, Path]:
    """Return files with the rows of hub data sets, by the source's place: those that are large, or all."""
    return {
        index: spooled(source, asked.settings, asked.seed, asked.work)
        for index, source in enumerate(asked.sources)
        if source.hub is not None and (is_all or is_spooled(source, asked.settings))
    }
