"""Batches of samples with images, video and sound: rows of text, and beside them what the encoders take in.

A batch is of one kind: text alone, or samples with the same senses. Media are decoded when their batch is
made, a few batches ahead, so memory holds those of a few. Knows nothing of models.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch.utils.data import Dataset

from manus.data.prepared.samples import PreparedSamples
from manus.data.prepared.senses import Places, Senses
from manus.data.prepared.sharded import ShardedSamples
from manus.errors import DataError
from manus.guards import ranks
from manus.models.native.inputs import OwnInputs
from manus.models.senses.omni_inputs import MediaInputs
from manus.training.batches.beside import Beside, Copied, decoding
from manus.training.batches.feature_cache import CachedInputs
from manus.training.batches.order import MixedBatches
from manus.training.batches.text import FlatCollator, PaddedCollator, Rows, Segment

Row = tuple[list[Segment], list[int]]  # the samples of a row, and the numbers of their media in order


class MediaRows(Dataset[Row]):
    """Rows of samples, each with the numbers of the media whose placeholders stand in it.

    Rows of samples with the same senses follow each other; `rows.counts` says how many.
    """

    def __init__(
        self, samples: PreparedSamples | ShardedSamples, groups: dict[Senses, Places], max_length: int | None
    ) -> None:
        self.samples, self.senses = samples, list(groups)
        self.rows = Rows(samples, max_length, list(groups.values()))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        media = [number for sample in self.rows.rows[index] for number in self.samples.media_of(sample)]
        return self.rows[index], media

    def batches(self, size: int, seed: int) -> MixedBatches:
        """Return this rank's batches of rows."""
        return MixedBatches(self.rows.counts, size, seed, ranks.rank(), ranks.world_size())


def with_media(groups: dict[Senses, Places], title: str) -> dict[Senses, Places]:
    """Leave out samples without media, of which projectors learn nothing.

    Raises:
        DataError: there are no others.
    """
    rest = {senses: some for senses, some in groups.items() if senses}
    if not rest:
        raise DataError(f"{title}: no sample has a medium, and text alone teaches projectors nothing")
    if () in groups:
        ranks.say(f"{len(groups[()])} samples without media are left out: they teach projectors nothing")
    return rest


@dataclass(frozen=True, slots=True)
class MediaCollator:
    """Makes a batch of text as another collator does, and adds the media of all its rows in order."""

    collate: FlatCollator | PaddedCollator
    inputs: MediaInputs | CachedInputs

    def __call__(self, rows: list[Row]) -> Copied:
        texts = self.collate([segments for segments, _ in rows])
        return Copied({**texts, **self.inputs.tensors([number for _, media in rows for number in media])})

    @property
    def beside(self) -> Beside:
        """Where batches are made: reading what encoders said takes no time, decoding does."""
        return Beside() if isinstance(self.inputs, CachedInputs) else decoding()


@dataclass(frozen=True, slots=True)
class OwnCollator:
    """Makes a batch of text as another collator does, and adds the media of each row.

    Media are added as the base's own processor makes them.
    """

    collate: PaddedCollator
    inputs: OwnInputs

    def __call__(self, rows: list[Row]) -> Copied:
        texts = self.collate([segments for segments, _ in rows])
        return Copied({**texts, **self.inputs.tensors([media for _, media in rows], texts["input_ids"])})

    @property
    def beside(self) -> Beside:
        """Where batches are made."""
        return decoding()
