"""A model with a talker beside it says texts, bit by bit and at once alike; damaged folders are refused."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig

from manus.errors import InputError, ModelError
from manus.models.detection.detect import detect
from manus.models.speech.names import speaks
from manus.models.speech.storing import load_talker
from manus.models.speech.voice import Voice, sentences
from tests.unit.models.speech.speaking import VOICES, speaking


@pytest.fixture(scope="module")
def folder(pico_base, tmp_path_factory):
    width = AutoConfig.from_pretrained(pico_base).hidden_size
    return speaking(pico_base, tmp_path_factory.mktemp("speaking") / "model", 2 * width)


@pytest.fixture(scope="module")
def voice(folder):
    return Voice.of(folder)


def test_a_model_that_speaks_says_so(pico_base, folder):
    assert speaks(folder) and detect(folder).modalities["audio_out"]
    assert not speaks(pico_base) and not detect(pico_base).modalities["audio_out"]
    with pytest.raises(ModelError, match="does not speak: no stage of its recipe trained a talker"):
        Voice.of(pico_base)


def test_streamed_sound_is_that_of_all_at_once(voice):
    text = "The old captain sings. What is three plus four?"
    whole, pieces = voice.speak(text, "bob"), list(voice.stream(text, "bob"))
    assert len(pieces) >= 3 and np.array_equal(np.concatenate(pieces), whole)
    alone = voice.say(["The old captain sings."], ["bob"])[0].numpy()
    assert np.abs(whole[: len(alone)] - alone).max() < 1e-4
    assert voice.sample_rate == 16_000 and len(whole) > 2000


def test_what_is_said_depends_on_text_and_voice_alone(voice):
    texts = ["One two.", "The old captain sings in the garden."]
    alone = [voice.say([text], [name])[0] for text, name in zip(texts, VOICES, strict=True)]
    beside = voice.say(texts, list(VOICES))
    for mine, other in zip(alone, beside, strict=True):
        assert torch.allclose(mine, other, atol=1e-4)
    assert not torch.equal(voice.say(["One two."], ["bob"])[0][:1000], alone[0][:1000])


def test_cut_off_it_says_the_same_of_any_text_as_long(voice):
    first, second = voice.say(["One two three.", "Six ten four."], ["ann", "ann"], is_cut_off=True)
    assert torch.equal(first, second)


def test_the_identity_follows_the_weights(folder, voice, tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(folder, other)
    assert Voice.of(other).identity == voice.identity
    facts = other / "speech" / "talker.json"
    facts.write_text(facts.read_text().replace('"ann"', '"eva"'))
    assert Voice.of(other).identity != voice.identity


def test_mistakes_are_told(voice, folder, tmp_path):
    import shutil

    with pytest.raises(InputError, match="no voice is called 'anne'; did you mean 'ann'"):
        voice.speak("Hello.", "anne")
    with pytest.raises(InputError, match="has no word that could be said"):
        voice.speak(" ... ", "ann")
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "speech" / "talker.safetensors").write_bytes(b"torn")
    with pytest.raises(ModelError, match=r"cannot read .*talker\.safetensors"):
        Voice.of(broken)
    (broken / "speech" / "talker.json").write_text("{}")
    with pytest.raises(ModelError, match=r"talker\.json has the format None"):
        load_talker(broken / "speech")


def test_texts_are_said_sentence_by_sentence():
    assert sentences('He said "no." Then 3 came!\nAnd…  went') == [
        'He said "no."',
        "Then 3 came!",
        "And…",
        "went",
    ]
    long = " ".join(["word"] * 25) + ", " + " ".join(["more"] * 40)
    assert [len(part.split()) for part in sentences(long)] == [25, 30, 10]
    assert sentences("... !") == []
