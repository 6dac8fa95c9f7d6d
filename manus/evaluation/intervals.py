"""Means and confidence intervals of what probes measure. Pure arithmetic; knows nothing of models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 10_000


def wilson(right: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the score interval of a share (Wilson 1927), good also near 0 and 1 and for few samples."""
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, scale = right / total, 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_bootstrap(
    before: Sequence[float],
    after: Sequence[float],
    weights: Sequence[float] | None = None,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Return the percentile interval of mean(after) - mean(before), resampling samples (Efron 1979).

    Args:
        before, after: one value for each sample, in the same order.
        weights: how much each sample counts (tokens, say); all the same if none.
    """
    difference = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    weight = np.ones_like(difference) if weights is None else np.asarray(weights, dtype=float)
    difference, weight = (
        difference[weight > 0],
        weight[weight > 0],
    )  # what counts nothing would leave draws of nothing
    draw = np.random.default_rng(0)
    means = []
    for _ in range(0, RESAMPLES, 500):
        chosen = draw.integers(0, len(difference), (500, len(difference)))
        means.append((difference * weight)[chosen].sum(1) / weight[chosen].sum(1))
    low, high = np.quantile(np.concatenate(means), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def mean_nats(measured: Mapping[str, Any]) -> float:
    """Return the mean nats per token of what was measured so: `values` by sample, `weights` their tokens."""
    return float(np.average(measured["values"], weights=measured["weights"]))
