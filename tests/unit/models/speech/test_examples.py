"""Clips and batches: whole lengths, joints between words, what a batch says of each frame."""

import random

import pytest
import torch

from manus.models.speech.examples import Spoken, collate, durations_of, spliced
from tests.unit.models.speech.clips import SENTENCES, clip


def test_lengths_are_whole_and_add_up():
    assert durations_of([0.1, 0.5, 1.0], 40, 31.25) == [16, 15, 9]
    assert durations_of([0.0, 0.01, 0.02, 5.0], 6, 10.0) == [1, 1, 3, 1]
    draw = random.Random(0)
    for _ in range(300):
        count = draw.randint(1, 8)
        starts = sorted(draw.uniform(0, 3) for _ in range(count))
        frames = draw.randint(count, 90)
        lengths = durations_of(starts, frames, 31.25)
        assert (sum(lengths), len(lengths), min(lengths) >= 1) == (frames, count, True)
    with pytest.raises(ValueError, match="3 words and the end do not fit into 3 frames"):
        durations_of([0.0, 0.1, 0.2, 0.3], 3, 10.0)


def test_clips_are_joined_between_words():
    first, second = clip("one two three", 1, 12, seed=1), clip("four five six seven", 1, 20, seed=2)
    texts = set()
    for seed in range(20):
        joined = spliced(first, second, random.Random(seed))
        texts.add(joined.text)
        cut = 1 if joined.text.startswith("one five") else 2
        before, behind = sum(first.durations[:cut]), sum(second.durations[:cut])
        assert torch.equal(joined.codes, torch.cat([first.codes[:, :before], second.codes[:, behind:]], 1))
        assert torch.equal(joined.states, torch.cat([first.states[:cut], second.states[cut:]]))
        collate([joined])  # lengths, words and codes fit
    assert texts == {"one five six seven", "one two six seven"}
    with pytest.raises(ValueError, match="voices 1 and 0"):
        spliced(first, clip("a b", 0), random.Random(0))
    with pytest.raises(ValueError, match="cut between words"):
        spliced(first, clip("No.", 1), random.Random(0))


def test_a_batch_says_of_each_frame_which_word_it_is_of():
    clips = [Spoken("one two", 2, torch.arange(12).view(2, 6), [2, 3, 1], None), clip_of_letters("No.")]
    batch = collate(clips)
    assert batch["word"][0].tolist() == [0, 0, 1, 1, 1, 2]
    assert batch["since"][0].tolist() == [0, 1, 0, 1, 2, 0]
    assert batch["goes_on"].tolist() == [[0, 1, 0, 0, 1, 1], [0, 1, 1, 0, 0, 0]]
    assert batch["is_frame"].sum(1).tolist() == [6, 3]
    assert batch["voice"].tolist() == [2, 0]
    assert "states" not in batch


def clip_of_letters(text):
    return Spoken(text, 0, torch.zeros(2, 3, dtype=torch.long), [2, 1], None)


def test_what_does_not_fit_is_refused():
    good = clip(SENTENCES[0])
    with pytest.raises(ValueError, match="some clips have states"):
        collate([good, clip_of_letters("No.")])
    with pytest.raises(ValueError, match="4 words and the end, but 3 lengths"):
        collate([Spoken(good.text, 0, good.codes, [10, 5, 5], good.states)])
    with pytest.raises(ValueError, match=r"last \[10, 5, 3, 1, 0\] frames; it has 20"):
        collate([Spoken(good.text, 0, good.codes, [10, 5, 3, 1, 0], good.states)])
