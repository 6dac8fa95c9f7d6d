"""What is to be prepared, of what, and where: the same for all ways to do it. Knows none of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from manus.data.media.expansion import Layout
from manus.data.preparation.quarantine import QUARANTINE
from manus.data.sample import Row, Sample, SampleKind
from manus.data.settings import DataSettings, Source
from manus.data.tokens.fitting import Fitting

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Preparation:
    """The data of a stage as they are to become prepared samples.

    Args:
        sources: where the rows come from.
        settings: split, sizes and limits.
        read: a row as a sample of the kind; raises RowError.
        kind: what the samples are, which decides the form of the prepared files.
        tokenizer: one with a chat template.
        beside: the folder of the recipe, for relative paths.
        seed: where the split and the draws start.
        folder: an empty folder for the files of the artifact.
        work: keeps what the next run goes on from, and the bad rows when there are too many.
        layout: what the model makes of media; none: it takes in text only.
    """

    sources: Sequence[Source]
    settings: DataSettings
    read: Callable[[Row], Sample]
    kind: SampleKind
    tokenizer: PreTrainedTokenizerBase
    beside: Path
    seed: int
    folder: Path
    work: Path
    layout: Layout | None = None

    @property
    def fitting(self) -> Fitting:
        """How its samples become tokens."""
        return Fitting(self.kind, self.tokenizer, self.settings, self.layout)

    @property
    def bad_rows(self) -> Path:
        """Where the bad rows go when there are too many."""
        return self.work / QUARANTINE

    @property
    def names(self) -> list[str]:
        """What its sources are called."""
        return [source.name for source in self.sources]
