"""How often the samples of each source are seen in an epoch, and which sample stands at a place of the epoch.

Knows numbers only: neither samples nor files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from manus.data.order.shuffle import Numbers, Permutation

Mix = Literal["epochs", "samples", "tokens"]
Until = Literal["first_exhausted", "all_exhausted"]


def times_seen(weights: Sequence[float], sizes: Sequence[int], mix: Mix, until: Until) -> list[float]:
    """Return how often each source's samples are seen per epoch.

    Args:
        weights: of the sources.
        sizes: of the sources, in samples or in tokens as `mix` says.
        mix: `epochs` takes the weights as they are; else they are shares of the epoch, in `samples` or
            `tokens`.
        until: an epoch of shares ends when the first source has been seen once (so no sample comes twice), or
            when all have (so small sources are repeated).
    """
    if mix == "epochs":
        return list(weights)
    rates = [weight / size if size else 0.0 for weight, size in zip(weights, sizes, strict=True)]
    seen = [rate for rate in rates if rate]
    if not seen:
        return rates
    unit = max(seen) if until == "first_exhausted" else min(seen)
    return [rate / unit for rate in rates]


class Mixture:
    """An epoch over several sources: its places are the samples of each, as often as they are seen.

    A sample's number counts through all sources; of 2.3 times, everything is there twice, and three tenths of
    it, drawn by the seed, a third time.
    """

    def __init__(self, sizes: Sequence[int], times: Sequence[float], seed: int) -> None:
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self.first = np.cumsum(self.sizes) - self.sizes
        self.whole = np.asarray([int(time // 1) for time in times], dtype=np.int64)
        extra = [round(time % 1 * size) for time, size in zip(times, sizes, strict=True)]
        self.ends = np.cumsum(self.whole * self.sizes + np.asarray(extra, dtype=np.int64))
        self.extra = extra
        self.draws = [Permutation(int(size), seed, "mixture", index) for index, size in enumerate(sizes)]

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def at(self, places: npt.ArrayLike) -> Numbers:
        """Return the numbers of the samples at places of the epoch."""
        asked = np.asarray(places, dtype=np.int64)
        sources = np.searchsorted(self.ends, asked, side="right")
        found = np.empty_like(asked)
        for source in np.unique(sources):
            here = sources == source
            begin = int(self.ends[source - 1]) if source else 0
            local, size = asked[here] - begin, int(self.sizes[source])
            is_extra = local >= self.whole[source] * size
            local[~is_extra] %= size
            if is_extra.any():
                local[is_extra] = self.draws[source].at(local[is_extra] - self.whole[source] * size)
            found[here] = self.first[source] + local
        return found

    def copies(self, source: int, numbers: npt.ArrayLike) -> Numbers:
        """Return how often samples of a source, numbered within it, are in the epoch."""
        is_drawn = self.draws[source].place_of(numbers) < self.extra[source]
        return np.asarray(self.whole[source] + is_drawn, dtype=np.int64)
