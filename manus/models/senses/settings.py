"""What a recipe may say of the senses that its base model gets. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from manus.errors import ModelError, blamed_on
from manus.models.base import snapshot
from manus.models.detection.modalities import OMNI, omni_modalities
from manus.models.json_files import read_object
from manus.models.native.recognising import has_own_senses, own_senses
from manus.models.omni.settings import OmniSettings
from manus.settings.words import Text

if TYPE_CHECKING:
    from manus.models.base import Base

Sense = Literal["vision", "audio_input"]
SENSES: tuple[Sense, ...] = ("vision", "audio_input")
# What a model can take in with an encoder of each.
MODALITIES_OF: Mapping[Sense, tuple[str, ...]] = {"vision": ("vision", "video"), "audio_input": ("audio_in",)}
CONFIG = "config.json"
_BY_ITSELF = {"vision": "sees", "audio_in": "hears"}
NONE = "none"  # in place of an encoder: the model does not get this sense


class SensesSettings(OmniSettings):
    """Which encoders the base model gets, and how many tokens it spends on what they see and hear."""

    PLANNED: ClassVar[tuple[str, ...]] = ("vision_output", "video_output")

    vision: Text = Field(
        "default",
        description="Vision encoder: a name in configs/encoders.yaml, a hub id[@revision], a folder, "
        "or none.",
    )
    audio_input: Text = Field(
        "default",
        description="Audio encoder of the Whisper family: a name, a hub id[@revision], a folder, or none.",
    )
    embed_encoders: bool | None = Field(
        None,
        description="Copy the encoders' weights into the checkpoint (true) or refer to them "
        "by their digest (false); null: refer to those on the hub, copy the others.",
    )

    @model_validator(mode="after")
    def _adds_something(self) -> SensesSettings:
        if self.vision == self.audio_input == NONE:
            raise ValueError("adds no sense: vision and audio_input are both none; remove the stage")
        return self


def senses_of(base: Base) -> set[str] | None:
    """Return what a base takes in beside text, as far as Manus trains it; None if its files are not here."""
    folder = _folder_of(base)
    if folder is None:
        return None if base.kind == "hub" else set()
    return senses_in(folder)


def config_of(base: Base) -> dict[str, Any] | None:
    """Return what a base's `config.json` holds, where it is on this machine.

    Raises:
        ModelError: that is no JSON object.
    """
    folder = _folder_of(base)
    return None if folder is None else read_object(folder / CONFIG)


@contextmanager
def config_blamed(base: Base) -> Iterator[None]:
    """Say that a base's `config.json` is to blame for whatever is raised while it is looked at.

    Raises:
        ModelError: it is; names the file.
    """
    folder = _folder_of(base)
    with blamed_on(
        f"{base.spec if folder is None else folder / CONFIG} is not the configuration of a model", ModelError
    ):
        yield


def senses_in(folder: Path) -> set[str]:
    """Return what the model in a folder takes in beside text: by encoders that Manus added, or by its own.

    One that sees by itself takes the frames of a video as pictures.
    """
    config = read_object(folder / CONFIG)
    with blamed_on(f"{folder / CONFIG} is not the configuration of a model", ModelError):
        if config.get("model_type") == OMNI:
            return set(omni_modalities(config).reasons) - {"text"}
        own = own_senses(config)
    return own | {"video"} if "vision" in own else own - {"video"}


def kept(base: Base) -> str | None:
    """Return why no sense is added to a base: it has its own, and keeps its processor; None for others."""
    folder = _folder_of(base)
    if folder is None or not has_own_senses(folder):
        return None
    words = " and ".join(word for sense, word in _BY_ITSELF.items() if sense in senses_in(folder))
    return f"base_model {base.spec!r} {words} by itself, with encoders and a processor that it keeps"


def _folder_of(base: Base) -> Path | None:
    """Return the folder of a base with its configuration, where it is on this machine."""
    if base.kind == "directory":
        return base.path
    return snapshot(base) if base.kind == "hub" else None
