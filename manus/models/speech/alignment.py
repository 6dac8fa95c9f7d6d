"""Where words start, from how a recogniser's heads look at a sound. Knows no recogniser.

Shape suffixes: D heads, T tokens and the end, F frames, S samples at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

MEDIAN_FRAMES = 7
REACH_SECONDS = 0.06  # attention is good to some 40 ms
SHORTEST_SECONDS = 0.03
QUIETEST = -7.0  # log10 of power
STEP, SMOOTHED = 160, 320  # samples: 10 ms, each seen with what is around it


def monotonic_starts(attention_DTF: Tensor, units: Sequence[int]) -> list[int]:
    """Return the frame at which each unit starts: the way forward through tokens that is looked at most.

    Each token has one frame at least (the dynamic time warping of openai/whisper's timing, with steps
    forward only). What heads say is normalised over tokens and smoothed over frames, then averaged.

    Args:
        attention_DTF: of each head, token and frame.
        units: the unit of each token, ascending from 0.
    """
    spread = attention_DTF.std(-2, keepdim=True) + 1e-6
    scaled = (attention_DTF - attention_DTF.mean(-2, keepdim=True)) / spread
    half = MEDIAN_FRAMES // 2
    smoothed = F.pad(scaled, (half, half), mode="replicate").unfold(-1, MEDIAN_FRAMES, 1).median(-1).values
    score = smoothed.mean(0).double().numpy()
    tokens, frames = score.shape
    best = np.full((tokens, frames), -np.inf)
    stepped = np.zeros((tokens, frames), bool)
    best[0] = score[0].cumsum()
    for frame in range(1, frames):
        stay, step = best[1:, frame - 1], best[:-1, frame - 1]
        stepped[1:, frame] = step > stay
        best[1:, frame] = score[1:, frame] + np.maximum(stay, step)
    token, path = tokens - 1, [tokens - 1]
    for frame in range(frames - 1, 0, -1):
        token -= int(stepped[token, frame])
        path.append(token)
    at_F = np.asarray(units)[path[::-1]]
    return [int(np.flatnonzero(at_F == unit)[0]) for unit in range(units[-1] + 1)]


def snapped(waves_S: Tensor, starts_seconds: Sequence[float]) -> list[float]:
    """Return starts moved to the quietest 10 ms nearby, each behind the one before; the first is 0."""
    power = F.avg_pool1d((waves_S * waves_S)[None, None], SMOOTHED, STEP, padding=SMOOTHED // 2)[0, 0]
    loudness = power.log10().clamp_min(QUIETEST)
    reach = round(REACH_SECONDS * 100)
    found = [0.0]
    for seconds in starts_seconds[1:]:
        middle = round(seconds * 100)
        low = max(0, middle - reach)
        near = loudness[low : middle + reach + 1]
        moved = (low + int(torch.argmin(near))) / 100 if len(near) else seconds
        found.append(max(moved, found[-1] + SHORTEST_SECONDS))
    return found
