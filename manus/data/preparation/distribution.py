"""How long samples are: quantiles and a histogram from how often each length occurs. Knows numbers only."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import numpy.typing as npt

QUANTILES = (0, 50, 90, 99, 100)
BARS = 24

Counted = npt.NDArray[np.int64]  # how often each length, from 0 on, occurs


class Histogram(TypedDict):
    """Samples by length: bar i counts those of `edges[i]` up to `edges[i + 1]` tokens, upper end left out."""

    edges: list[int]
    samples: list[int]


def quantiles(counted: Counted) -> dict[str, int]:
    """Return quantiles of values from how often each occurs, interpolated as numpy does."""
    ends, found = np.cumsum(counted), {}
    for percent in QUANTILES:
        place = percent / 100 * (ends[-1] - 1)
        low, high = (int(np.searchsorted(ends, p, side="right")) for p in (np.floor(place), np.ceil(place)))
        found[str(percent)] = int(low + (high - low) * (place - np.floor(place)))
    return found


def histogram(counted: Counted) -> Histogram:
    """Return about BARS bars of equal, round width that reach from the shortest to the longest sample."""
    there = np.flatnonzero(counted)
    if not len(there):
        return {"edges": [], "samples": []}
    shortest, longest = int(there[0]), int(there[-1])
    width = _round_up((longest - shortest + 1) / BARS)
    first = shortest // width * width
    edges = list(range(first, longest + width + 1, width))  # the last one lies beyond the longest
    samples = np.histogram(np.arange(len(counted)), bins=edges, weights=counted)[0]
    return {"edges": edges, "samples": [int(count) for count in samples]}


def _round_up(width: float) -> int:
    """Return the next of 1, 2, 5, 10, 20, 50, ..."""
    unit = 1
    while True:
        for factor in (1, 2, 5):
            if factor * unit >= width:
                return factor * unit
        unit *= 10
