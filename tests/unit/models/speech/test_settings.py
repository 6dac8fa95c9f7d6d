"""What a recipe may say of a voice."""

import pytest
from pydantic import ValidationError

from manus.models.speech.settings import VoiceSettings


def test_heads_must_share_the_width():
    assert VoiceSettings(talker_hidden=192, talker_heads=4).talker_window == 32
    with pytest.raises(ValidationError, match="must be a multiple of twice talker_heads"):
        VoiceSettings(talker_hidden=100, talker_heads=8)
