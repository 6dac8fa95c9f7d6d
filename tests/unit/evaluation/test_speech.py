"""What is read back decides what was understood; cut off and swapped texts are measured on the same sentences."""

import io

import av
import pytest
import torch

from manus.capabilities import known_capabilities
from manus.evaluation.probes import Probe
from manus.evaluation.speech import CUT_OFF, SWAPPED, Reading, data_uri, measure_cut_off, measure_speech

podcast = known_capabilities()["podcast"]
TEXTS = ("the old captain sings", "a young doctor waits", "what is three plus four", "no tiger runs here")


class Voice:
    """Says a text as its place in a list; nothing of it when it is cut off."""

    sample_rate = 16_000

    def say(self, texts, voices, is_cut_off=False):
        return [torch.full((1600,), 0.0 if is_cut_off else (1 + TEXTS.index(text)) / 10) for text in texts]


class Recogniser:
    """Hears which place it was, and mistakes one word of each text by the speaker bob."""

    seconds = 30.0

    def transcribe(self, waves):
        places = [round(float(wave[0]) * 10) for wave in waves]
        return [TEXTS[place - 1].replace("waits", "weighs") if place else "" for place in places]


@pytest.fixture
def probe():
    samples = []
    for place, text in enumerate(TEXTS):
        turns = [{"role": "user", "content": text}, {"role": "assistant", "content": "<|audio|>"}]
        speaker = ("ann", "bob")[place % 2]
        samples.append({"messages": turns, "answer": text, "speaker": speaker, "level": speaker})
    return Probe("podcast", podcast, podcast.Settings(most_word_errors=0.2), samples, 64)


def test_it_counts_what_is_understood_and_the_words(probe):
    found = measure_speech(probe, Reading(Voice(), Recogniser()), "after")
    assert found["values"] == [1.0, 0.0, 1.0, 1.0] and found["value"] == 0.75
    assert found["parts"] == {"wer": 0.0625, "wer ann": 0.0, "wer bob": 0.125}
    assert found["levels"]["bob"] == {"value": 0.5, "samples": 2}
    assert found["said"][1]["text"] == "a young doctor weighs"
    assert all(one["sound"].startswith("data:audio/ogg;base64,") for one in found["said"])


def test_cut_off_and_swapped_nothing_is_understood(probe):
    reading = Reading(Voice(), Recogniser())
    left = measure_cut_off(probe, reading, measure_speech(probe, reading, "after"))
    assert left.keys() == {CUT_OFF, SWAPPED}
    for found in left.values():
        assert found["value"] == 0 and found["drop"]["value"] == 0.75 and found["whole"] == 0.75


def test_a_kept_sound_is_a_small_file():
    import base64

    data = base64.b64decode(data_uri(0.1 * torch.sin(torch.arange(32_000) / 5)).partition(",")[2])
    with av.open(io.BytesIO(data)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) / 48_000 == pytest.approx(
            2.0, abs=0.1
        )
    assert len(data) < 12_000
