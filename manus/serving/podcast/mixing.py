"""Lays turns one after the other and sets their loudness: pure functions over arrays. Opens no file.

Shapes: S samples of one turn, N samples of the episode.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from manus.errors import ModelError

Sound = npt.NDArray[np.float32]

LOUDNESS_LUFS = -16.0  # what podcast platforms ask for, measured by ITU-R BS.1770-4
PEAK_DBFS = -1.0
GAP_SECONDS = (0.15, 0.45)  # between turns of two hosts
SAME_HOST_SECONDS = (0.35, 0.6)
CHAPTER_SECONDS = (0.8, 1.2)
OVERLAP_SECONDS = (0.08, 0.3)
MOST_OVERLAP = 0.5  # of the interjection
INTERJECTION_WORDS = 3
EDGE_SECONDS = 0.02  # that stays of the silence around a turn, and of a fade
SILENT_DB = -50.0  # below a turn's peak
BLOCK_SECONDS = 0.4  # of the meter
LIMITER_SECONDS = 0.005
ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Cue:
    """What precedes a turn, as far as its place depends on it."""

    host: str
    words: int
    begins_chapter: bool = False


def trimmed(samples: Sound, sample_rate: int) -> Sound:
    """Return a turn [S] without the silence at its ends, but a short edge, which fades."""
    loud = np.flatnonzero(np.abs(samples) > 10 ** (SILENT_DB / 20) * np.abs(samples).max(initial=0))
    if not len(loud):
        return samples
    edge = int(EDGE_SECONDS * sample_rate)
    kept = samples[max(0, loud[0] - edge) : loud[-1] + 1 + edge].copy()
    fade = np.linspace(0, 1, min(edge, len(kept) // 2), dtype=np.float32)
    kept[: len(fade)] *= fade
    kept[len(kept) - len(fade) :] *= fade[::-1]
    return kept


def starts(cues: Sequence[Cue], lengths: Sequence[int], sample_rate: int, seed: int) -> list[int]:
    """Return at which sample each turn begins.

    Turns follow each other after a short gap, a longer one where a chapter begins. An interjection (up to
    three words, within a chapter, of another host) may begin before the turn before it has ended; nothing
    else overlaps. Each pause depends on the seed and the turn's place alone, so that an edit of one turn moves
    the others and changes none of their pauses.

    Args:
        cues: the turns.
        lengths: their samples.
        sample_rate: samples a second.
        seed: of the draws.
    """
    found, end = list[int](), 0
    for place, length in enumerate(lengths):
        begin = end + round(_pause(cues, lengths, place, seed, sample_rate) * sample_rate) if place else 0
        found.append(max(0, begin))
        end = max(end, found[-1] + length)
    return found


def _pause(cues: Sequence[Cue], lengths: Sequence[int], place: int, seed: int, sample_rate: int) -> float:
    """Return the seconds between the end of what was said before and a turn; below 0 they overlap."""
    draw = random.Random(f"{seed}:{place}")
    cue, before = cues[place], cues[place - 1]
    if cue.begins_chapter:
        return draw.uniform(*CHAPTER_SECONDS)
    if cue.host == before.host:
        return draw.uniform(*SAME_HOST_SECONDS)
    is_interjection = cue.words <= INTERJECTION_WORDS < before.words and place + 1 < len(cues)
    if is_interjection:
        most = MOST_OVERLAP * min(lengths[place], lengths[place - 1]) / sample_rate
        return -min(draw.uniform(*OVERLAP_SECONDS), most)
    return draw.uniform(*GAP_SECONDS)


def laid(turns: Sequence[Sound], begins: Sequence[int]) -> Sound:
    """Return all turns [S] at their places in one sound [N]."""
    whole = np.zeros(max(begin + len(turn) for turn, begin in zip(turns, begins, strict=True)), np.float32)
    for turn, begin in zip(turns, begins, strict=True):
        whole[begin : begin + len(turn)] += turn
    return whole


def loudness(samples: Sound, sample_rate: int) -> float:
    """Return the integrated loudness of a sound [S] in LUFS (ITU-R BS.1770-4); what is short is repeated.

    Raises:
        ModelError: nothing is heard.
    """
    from pyloudnorm import Meter

    shortest = int(BLOCK_SECONDS * sample_rate) + 1
    if not samples.any():
        raise ModelError("nothing can be heard: all samples are zero")
    whole = np.tile(samples, -(-shortest // len(samples))) if len(samples) < shortest else samples
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = float(Meter(sample_rate).integrated_loudness(whole.astype(np.float64)))
    if not np.isfinite(found):
        raise ModelError("nothing can be heard: the sound is below -70 LUFS, the meter's threshold")
    return found


def evened(turns: Sequence[Sound], hosts: Sequence[str], sample_rate: int) -> list[Sound]:
    """Return the turns with every host as loud as the others; a host's own turns keep their differences."""
    gains: Mapping[str, float] = {
        host: 10
        ** (
            (
                LOUDNESS_LUFS
                - loudness(
                    np.concatenate([turn for turn, who in zip(turns, hosts, strict=True) if who == host]),
                    sample_rate,
                )
            )
            / 20
        )
        for host in dict.fromkeys(hosts)
    }
    return [turn * np.float32(gains[host]) for turn, host in zip(turns, hosts, strict=True)]


def limited(samples: Sound, sample_rate: int, peak_dbfs: float = PEAK_DBFS) -> Sound:
    """Return a sound [N] whose peaks stay below a limit: it is turned down around them, smoothly.

    The gain that each sample needs is lowered to the least within a window and then averaged over the same
    window, so that no average is above what its sample needs.
    """
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    ceiling = 10 ** (peak_dbfs / 20)
    loudest = np.abs(samples).astype(np.float64)
    if loudest.max(initial=0) <= ceiling:
        return samples
    needed = np.minimum(1.0, ceiling / np.maximum(loudest, 1e-12))
    window = 2 * int(LIMITER_SECONDS * sample_rate) + 1
    gain = uniform_filter1d(minimum_filter1d(needed, window, mode="nearest"), window, mode="nearest")
    turned_down: Sound = (samples * np.minimum(gain, needed)).astype(np.float32).clip(-ceiling, ceiling)
    return turned_down


def levelled(samples: Sound, sample_rate: int) -> Sound:
    """Return a sound [N] at -16 LUFS whose peaks stay below -1 dBFS.

    The limiter takes some loudness away, so both are done in a few rounds. Where the peaks leave no room (a
    click in silence) it stays quieter: measure what came out.
    """
    made = samples
    for _ in range(ROUNDS):
        gain = 10 ** ((LOUDNESS_LUFS - loudness(made, sample_rate)) / 20)
        made = limited(made * np.float32(gain), sample_rate)
        if abs(gain - 1) < 0.005:
            break
    return made


def peak_dbfs(samples: Sound) -> float:
    """Return the highest sample's level in dBFS."""
    return float(20 * np.log10(max(float(np.abs(samples).max(initial=0)), 1e-9)))
