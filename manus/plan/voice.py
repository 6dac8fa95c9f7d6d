"""Says through which codec a model will speak, and who tells what it said. Loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from manus.models.encoders.finding import Encoder, find_encoder
from manus.recipe.machine import sense_choices
from manus.recipe.recipe import Recipe
from manus.store.digests import Digests

CODEC = "encoder/audio_output"


@dataclass(frozen=True, slots=True)
class VoiceParts:
    """What a talker is trained and measured with, and does not consist of."""

    codec: Encoder
    recogniser: Encoder


def voice_of(recipe: Recipe, digests: Digests, pins: Mapping[str, str]) -> VoiceParts | None:
    """Find codec and recogniser of a recipe that trains a talker; None where none does.

    Raises:
        ModelError: one of them is missing or unusable.
    """
    stage = recipe.speaks
    if stage is None or stage.voice is None:
        return None
    choices, beside = sense_choices(), recipe.path.parent
    with recipe.blamed((*stage.keys, "audio_output")):
        spec = choices.spec_of("audio_output", stage.voice.audio_output)
        codec = find_encoder("audio_output", spec, beside, digests, pins)
    with recipe.blamed((*stage.keys, "recogniser")):
        spec = choices.spec_of("audio_input", stage.voice.recogniser)
        recogniser = find_encoder("audio_input", spec, beside, digests, pins)
    return VoiceParts(codec, recogniser)
