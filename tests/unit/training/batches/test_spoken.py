"""Clips of an epoch depend on their number and the seed alone; what is held out is never formed by joining."""

import pytest
import torch

from manus.models.speech.coded import CodedSpeech
from manus.models.speech.examples import collate
from manus.training.batches.spoken import SpokenClips, read_states
from tests.unit.models.speech.speaking import VOICES, coded

TEXTS = ["one two three", "four five six", "seven eight nine", "ten two six"] * 2


class Reader:
    """Reads texts as numbers of their words' lengths."""

    text_size = 4
    asked = 0

    def read(self, texts):
        self.asked += len(texts)
        return [
            torch.tensor([[float(len(word))] * 4 for word in text.split()] + [[0.0] * 4]) for text in texts
        ]


@pytest.fixture
def parts(tmp_path):
    speech = CodedSpeech(coded(tmp_path / "speech", TEXTS))
    return speech, read_states(Reader(), list(speech.texts()), tmp_path / "states")


def clips(parts, share=0.5, never=frozenset(), seed=0):
    return SpokenClips(*parts, VOICES, share, never, seed)


def test_the_states_are_read_once(parts, tmp_path):
    reader = Reader()
    again = read_states(reader, TEXTS, tmp_path / "states")
    assert reader.asked == 0 and again.of(2)[:, 0].tolist() == [5.0, 5.0, 4.0, 0.0]


def test_a_number_gives_the_same_clip_again(parts):
    first, second = clips(parts), clips(parts)
    for number in range(40):
        one, other = first[number], second[number]
        assert one.text == other.text and torch.equal(one.codes, other.codes)
    epochs = [[first[epoch * 8 + place].text for place in range(8)] for epoch in range(6)]
    assert len({tuple(epoch) for epoch in epochs}) > 1, "each epoch is drawn anew"
    assert any(clips(parts, seed=1)[n].text != first[n].text for n in range(40))


def test_joined_clips_are_of_one_voice_and_keep_out_of_what_is_held_out(parts):
    joined = {clips(parts, 1.0)[number].text for number in range(400)} - set(TEXTS)
    assert len(joined) > 5
    never = frozenset(joined)
    kept = [clips(parts, 1.0, never)[number] for number in range(400)]
    assert not {clip.text for clip in kept} & never
    assert all(clip.voice == number % 2 for number, clip in enumerate(kept))
    assert {clip.text for number in range(99) for clip in [clips(parts, 0.0)[number]]} == set(TEXTS)


def test_a_batch_is_what_a_talker_takes(parts):
    batch = collate([clips(parts)[number] for number in range(5)])
    assert batch["states"].shape[2] == 4 and int(batch["goes_on"].sum()) == 5 * 4
