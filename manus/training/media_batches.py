"""Batches of samples with images, video and sound: the rows of text, and beside them what the encoders take in.

Media are decoded when their batch is made, so memory holds those of one batch. Knows nothing of models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset

from manus.data.prepared import PreparedSamples
from manus.models.media_inputs import MediaInputs
from manus.models.native.inputs import OwnInputs
from manus.training.batches import FlatCollator, PaddedCollator, Rows, Segment
from manus.training.feature_cache import CachedInputs

Row = tuple[list[Segment], list[int]]  # the samples of a row, and the numbers of their media in order


class MediaRows(Dataset[Row]):
    """Rows of samples, each with the numbers of the media whose placeholders stand in it."""

    is_large = False

    def __init__(self, rows: Rows, samples: PreparedSamples) -> None:
        self.rows, self.samples = rows, samples

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        media = [number for sample in self.rows.rows[index] for number in self.samples.media_of(sample)]
        return self.rows[index], media


@dataclass(frozen=True, slots=True)
class MediaCollator:
    """Makes a batch of text as another collator does, and adds the media of all its rows in order."""

    collate: FlatCollator | PaddedCollator
    inputs: MediaInputs | CachedInputs

    def __call__(self, rows: list[Row]) -> dict[str, Any]:
        texts = self.collate([segments for segments, _ in rows])
        return {**texts, **self.inputs.tensors([number for _, media in rows for number in media])}


@dataclass(frozen=True, slots=True)
class OwnCollator:
    """Makes a batch of text as another collator does, and adds what the base's own processor makes of the media of each row."""

    collate: PaddedCollator
    inputs: OwnInputs

    def __call__(self, rows: list[Row]) -> dict[str, Any]:
        texts = self.collate([segments for segments, _ in rows])
        return {**texts, **self.inputs.tensors([media for _, media in rows], texts["input_ids"])}
