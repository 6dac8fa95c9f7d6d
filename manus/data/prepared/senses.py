"""Which samples have which kinds of media: those with the same share batches, and rows. Decodes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from manus.data.media.files import KINDS, MEDIA_TABLE
from manus.data.prepared.samples import PreparedSamples
from manus.data.prepared.sharded import ShardedSamples

Senses = tuple[str, ...]  # the kinds of a sample's media, sorted; empty for text alone
Places = npt.NDArray[np.int64]


def by_senses(samples: PreparedSamples | ShardedSamples, folder: Path) -> dict[Senses, Places]:
    """Return the places of samples by the kinds of their media, text alone first.

    Args:
        samples: of prepared data.
        folder: with their media.
    """
    bits = samples.media_at(np.load(folder / MEDIA_TABLE)["kind"])
    found = {
        tuple(sorted(kind for code, kind in enumerate(KINDS) if mask >> code & 1)): np.flatnonzero(
            bits == mask
        )
        for mask in np.unique(bits).tolist()
    }
    return dict(sorted(found.items()))
