"""Where words start: found in drawn attention, moved to quiet places."""

import torch

from manus.models.speech.alignment import monotonic_starts, snapped
from tests.unit.models.speech.clips import hiss, said


def attention(starts, frames, heads=3):
    """Return attention that looks, within noise, where each token is; the last token goes on to the end."""
    draw = torch.Generator().manual_seed(0)
    found = 0.3 * torch.rand(heads, len(starts), frames, generator=draw)
    for token, (begin, end) in enumerate(zip(starts, [*starts[1:], frames], strict=True)):
        found[:, token, begin:end] += 1
    return found


def test_starts_are_found_and_tokens_of_one_word_are_one():
    starts = [0, 12, 25, 40, 60]
    assert monotonic_starts(attention(starts, 80), [0, 1, 2, 3, 4]) == starts
    assert monotonic_starts(attention(starts, 80), [0, 1, 1, 2, 3]) == [0, 12, 40, 60]


def test_the_order_of_tokens_is_kept_whatever_is_looked_at():
    shuffled = attention([0, 12, 25, 40, 60], 80)[:, [3, 1, 4, 0, 2]]
    starts = monotonic_starts(shuffled, [0, 1, 2, 3, 4])
    assert starts == sorted(set(starts))


def test_a_start_moves_to_the_quiet_nearby_and_not_beyond():
    waves = said([hiss(0.3), hiss(0.3)])  # quiet from 0.4 to 0.5 seconds
    assert 0.40 <= snapped(waves, [0.0, 0.37])[1] <= 0.43
    assert snapped(waves, [0.2, 0.21, 0.22]) == sorted(snapped(waves, [0.2, 0.21, 0.22]))
    assert snapped(waves, [0.2])[0] == 0.0
    assert 0.14 <= snapped(waves, [0.0, 0.2])[1] <= 0.26
