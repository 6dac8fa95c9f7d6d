"""Speech is coded clip by clip: what is stopped goes on, what cannot be aligned is left aside and counted."""

import json

import numpy as np
import pytest
import torch

from manus.errors import DataError
from manus.models.speech.codecs import codec_of, load_codec
from manus.models.speech.coded import CLIPS, CODES, LEFT_OUT, CodedSpeech, Coder, speech_within, write_coded
from tests.unit.models.speech.clips import buzz, said
from tests.unit.models.speech.speaking import codec


class Files:
    """Media in memory, as `MediaFiles` gives them."""

    def __init__(self, sounds):
        self.sounds = sounds

    def facts(self, number):
        return {"seconds": len(self.sounds[number]) / 16_000}

    def audio(self, number, rate_hertz=None):
        assert rate_hertz == 16_000
        return self.sounds[number].numpy()


class Listener:
    """A recogniser that finds words at even distances, and none in what says "noise"."""

    seconds = 2.0

    def word_starts(self, wave, text):
        if "noise" in text:
            raise ValueError("the sound does not seem to say it")
        count = len(text.split()) + 1
        return [place * len(wave) / 16_000 / count for place in range(count)]


def sample(number, text):
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": "<|audio|>"}]
    return {
        "messages": turns,
        "answer": text,
        "speaker": "ann",
        "media": [{"number": number, "kind": "audio"}],
    }


@pytest.fixture
def coder(tmp_path):
    return Coder(codec_of(load_codec(codec(tmp_path / "codec"))), Listener(), 2)


SOUNDS = [said([buzz(100 + 10 * place, 0.5)]) for place in range(4)]
TEXTS = ["one two", "three four five", "some noise", "six"]
SAMPLES = [sample(number, text) for number, text in enumerate(TEXTS)]


def made(coder, work, folder, budget=0.5, files=None):
    for part in (work, folder):
        part.mkdir(exist_ok=True)
    return write_coded(SAMPLES, files or Files(SOUNDS), coder, work, folder, budget)


def test_clips_come_back(coder, tmp_path):
    facts = made(coder, tmp_path / "work", tmp_path / "out")
    assert facts["clips"] == 3 and facts["left_out"] == 1 and facts["voices"] == ["ann"]
    read = CodedSpeech(tmp_path / "out")
    assert list(read.texts()) == ["one two", "three four five", "six"] and read.shifts == 2
    for place, clip in enumerate(read.clips):
        for shift in range(2):
            codes = read.codes_of(place, shift)
            assert codes.shape == (2, clip["frames"][shift]) == (2, sum(clip["durations"][shift]))
            assert len(clip["durations"][shift]) == len(clip["text"].split()) + 1
    begin, end = speech_within(SOUNDS[0])
    trimmed = SOUNDS[0][round(begin * 16_000) : round(end * 16_000)]
    assert torch.equal(read.codes_of(0, 0), coder.codec.encode(trimmed))
    (left,) = map(json.loads, (tmp_path / "out" / LEFT_OUT).read_text().splitlines())
    assert left["row"]["answer"] == "some noise" and "does not seem" in left["reason"]


def test_a_stopped_run_goes_on_to_the_same_bytes(coder, tmp_path):
    made(coder, tmp_path / "w", tmp_path / "whole")

    class Torn(Files):
        def audio(self, number, rate_hertz=None):
            if number == 3:
                raise KeyboardInterrupt
            return super().audio(number, rate_hertz)

    with pytest.raises(KeyboardInterrupt):
        made(coder, tmp_path / "work", tmp_path / "out", files=Torn(SOUNDS))
    with (tmp_path / "work" / CODES).open("ab") as file:
        file.write(b"half a clip")
    with (tmp_path / "work" / CLIPS).open("a") as file:
        file.write('{"text": "ha')

    asked = set()

    class Counting(Files):
        def audio(self, number, rate_hertz=None):
            asked.add(number)
            return super().audio(number, rate_hertz)

    made(coder, tmp_path / "work", tmp_path / "out", files=Counting(SOUNDS))
    assert asked == {3}
    for name in (CODES, CLIPS, LEFT_OUT):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_too_many_that_cannot_be_aligned_are_an_error(coder, tmp_path):
    with pytest.raises(DataError, match=r"1 of 4 sounds cannot be aligned .* failure_budget 0.1 allows"):
        made(coder, tmp_path / "work", tmp_path / "out", budget=0.1)
    coder.recogniser.seconds = 0.1
    with pytest.raises(
        DataError, match=r"none of the 4 sounds can be aligned with its text: 0.7 seconds are more"
    ):
        made(coder, tmp_path / "work2", tmp_path / "out2")


def test_silence_around_speech_is_cut():
    sound = torch.cat([torch.zeros(8000), buzz(120, 0.5), torch.zeros(4000)])
    begin, end = speech_within(sound)
    assert 0.42 < begin < 0.5 and 1.0 < end < 1.08
    assert speech_within(torch.zeros(1600)) == (0.0, 0.1)
    assert np.isclose(begin, 0.5 - 0.06, atol=0.02)
