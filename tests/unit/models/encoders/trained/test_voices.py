"""The trained codec is asked for by its name, and is fitted anew where what it hears changes."""

from manus.data.generators import read_aloud
from manus.models.encoders.finding import find_encoder
from manus.models.encoders.trained import known_trained, voices
from manus.store.digests import Digests


def test_it_is_a_codec_and_nothing_else(tmp_path, monkeypatch):
    assert known_trained()["voices"].SENSE == "audio_output"
    found = find_encoder("audio_output", "trained:voices", tmp_path, Digests(), {})
    assert found.needs_making and found.model_type == voices.MODEL_TYPE
    monkeypatch.setattr(read_aloud, "VERSION", 99)
    assert find_encoder("audio_output", "trained:voices", tmp_path, Digests(), {}).digest != found.digest
