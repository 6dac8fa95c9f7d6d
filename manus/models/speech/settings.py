"""What a recipe may say of the voice that a model gets. Imports nothing heavy."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from manus.settings.frozen import Frozen
from manus.settings.words import Text


class VoiceSettings(Frozen):
    """Which codec the talker speaks through, how large it is, and who tells what it said."""

    audio_output: Text = Field(
        "default",
        description="Codec of speech: a name in configs/encoders.yaml, a hub id[@revision], a folder, or "
        "trained:NAME.",
    )
    recogniser: Text = Field(
        "default",
        description="Whisper model that finds where words begin in the sounds, and reads back what is said: a "
        "name of audio_input in configs/encoders.yaml, a hub id[@revision], or a folder.",
    )
    frame_shifts: int = Field(
        4, ge=1, le=16, description="So many offsets within a frame at which the codec reads each sound."
    )
    spliced: float = Field(
        0.5, ge=0, le=1, description="Share of training sentences joined of two of a speaker's, at a word."
    )
    talker_hidden: int = Field(512, ge=16, le=4096, description="Width of the talker's layers.")
    talker_layers: int = Field(6, ge=1, le=64, description="How many layers the talker has.")
    talker_heads: int = Field(8, ge=1, le=64, description="Attention heads of each of its layers.")
    talker_window: int = Field(
        32, ge=1, le=4096, description="So many frames back, itself included, a frame of speech looks."
    )
    history_dropout: float = Field(
        0.3, ge=0, lt=1, description="Share of earlier frames that the talker does not see while it learns."
    )

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.talker_hidden % (2 * self.talker_heads):
            raise ValueError(
                f"talker_hidden ({self.talker_hidden}) must be a multiple of twice talker_heads "
                f"({self.talker_heads})"
            )
        return self
