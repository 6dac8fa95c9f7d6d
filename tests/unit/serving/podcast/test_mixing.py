"""Turns lie where they should, and what comes out is as loud as it was to be."""

from __future__ import annotations

import numpy as np
import pytest

from manus.errors import ModelError
from manus.serving.podcast.mixing import (
    Cue,
    evened,
    laid,
    levelled,
    limited,
    loudness,
    peak_dbfs,
    starts,
    trimmed,
)

RATE = 16_000


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def test_pauses_are_natural_and_only_interjections_overlap() -> None:
    cues = [Cue("A", 9), Cue("B", 9), Cue("B", 9), Cue("A", 2), Cue("B", 9), Cue("A", 9, True), Cue("B", 2)]
    lengths = [3 * RATE] * 3 + [RATE] + [3 * RATE] * 3
    for seed in range(20):
        begins = starts(cues, lengths, RATE, seed)
        ends = [begin + length for begin, length in zip(begins, lengths, strict=True)]
        pauses = [(begin - max(ends[: n + 1])) / RATE for n, begin in enumerate(begins[1:])]
        assert begins[0] == 0
        assert all(0.14 < pauses[n] < 0.46 for n in (0, 3, 5)), "the last turn is a goodbye, no interjection"
        assert 0.34 < pauses[1] < 0.61 and 0.79 < pauses[4] < 1.21
        assert -0.31 < pauses[2] < -0.07
    assert starts(cues, lengths, RATE, 1) != starts(cues, lengths, RATE, 2)


def test_an_edit_of_one_turn_changes_no_other_pause() -> None:
    cues = [Cue("AB"[n % 2], 9) for n in range(6)]
    first = starts(cues, [RATE] * 6, RATE, 0)
    second = starts(cues, [RATE, RATE, 2 * RATE, RATE, RATE, RATE], RATE, 0)
    assert (
        second[:3] == first[:3] and [b - a for a, b in zip(first[3:], second[3:], strict=True)] == [RATE] * 3
    )


def test_turns_are_added_at_their_places() -> None:
    made = laid([np.ones(3, np.float32), np.full(2, 2, np.float32)], [0, 2])
    assert made.tolist() == [1, 1, 3, 2]
    quiet = np.zeros(RATE, np.float32)
    kept = trimmed(np.concatenate([quiet, noise(0.5, 0.1), quiet]), RATE)
    assert 0.5 * RATE < len(kept) < 0.56 * RATE and kept[0] == 0
    assert len(trimmed(quiet, RATE)) == RATE


def test_hosts_are_as_loud_as_each_other() -> None:
    made = evened([noise(1, 0.2), noise(1, 0.01), noise(1, 0.1)], ["A", "B", "A"], RATE)
    assert loudness(np.concatenate([made[0], made[2]]), RATE) == pytest.approx(-16, abs=0.1)
    assert loudness(made[1], RATE) == pytest.approx(-16, abs=0.1)
    assert loudness(made[0], RATE) - loudness(made[2], RATE) == pytest.approx(6, abs=0.3)


@pytest.mark.parametrize("level", [0.001, 0.1, 0.9])
def test_an_episode_is_at_sixteen_lufs_below_its_peak(level: float) -> None:
    sound = noise(4, level)
    sound[::4000] *= 8  # clicks above the limit
    made = levelled(sound, RATE)
    assert loudness(made, RATE) == pytest.approx(-16, abs=0.2)
    assert peak_dbfs(made) <= -0.999


def test_the_limiter_touches_only_what_is_near_a_peak() -> None:
    sound = noise(1, 0.05)
    sound[8000] = 3
    made = limited(sound, RATE)
    assert peak_dbfs(made) <= -0.999
    assert np.array_equal(made[:7000], sound[:7000]) and np.array_equal(made[9000:], sound[9000:])
    assert limited(sound[:7000], RATE) is not None and np.array_equal(
        limited(sound[:7000], RATE), sound[:7000]
    )


def test_silence_cannot_be_levelled() -> None:
    with pytest.raises(ModelError, match="all samples are zero"):
        loudness(np.zeros(RATE, np.float32), RATE)
    with pytest.raises(ModelError, match="-70 LUFS"):
        loudness(noise(1, 1e-6), RATE)
    assert loudness(noise(0.1, 0.1), RATE) < 0
