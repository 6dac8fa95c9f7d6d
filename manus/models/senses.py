"""What a recipe may say of the senses that its base model gets. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from manus.data.settings import Text
from manus.models.modalities import OMNI, omni_modalities
from manus.models.omni.settings import OmniSettings

if TYPE_CHECKING:
    from manus.models.base import Base

Sense = Literal["vision", "audio_input"]
SENSES: tuple[Sense, ...] = ("vision", "audio_input")
# What a model can take in with an encoder of each.
MODALITIES_OF: Mapping[Sense, tuple[str, ...]] = {"vision": ("vision", "video"), "audio_input": ("audio_in",)}
NONE = "none"  # in place of an encoder: the model does not get this sense


class SensesSettings(OmniSettings):
    """Which encoders the base model gets, and how many tokens it spends on what they see and hear."""

    PLANNED: ClassVar[tuple[str, ...]] = ("audio_output", "vision_output", "video_output")

    vision: Text = Field(
        "default",
        description="Vision encoder: a name in configs/encoders.yaml, a hub id[@revision], a folder, or none.",
    )
    audio_input: Text = Field(
        "default", description="Audio encoder of the Whisper family: a name, a hub id[@revision], a folder, or none."
    )
    embed_encoders: bool | None = Field(
        None,
        description="Copy the encoders' weights into the checkpoint (true) or refer to them by their digest (false); "
        "null: refer to those on the hub, copy the others.",
    )

    @model_validator(mode="after")
    def _adds_something(self) -> SensesSettings:
        if self.vision == self.audio_input == NONE:
            raise ValueError("adds no sense: vision and audio_input are both none; remove the stage")
        return self


def senses_of(base: Base) -> set[str]:
    """Return what a base takes in beside text, where it is a folder of one of our own checkpoints."""
    return senses_in(base.path) if base.kind == "directory" and base.path is not None else set()


def senses_in(folder: Path) -> set[str]:
    """Return what the model in a folder takes in beside text, where it is one of our own checkpoints."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return set(omni_modalities(config).reasons) - {"text"} if config.get("model_type") == OMNI else set()
