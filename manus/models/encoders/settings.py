"""What `configs/encoders.yaml` says: choices of encoders and decoders by sense. Looks at no file, no hub."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from manus.errors import ModelError, did_you_mean, nearest
from manus.hub import HUB_ID
from manus.models.encoders.trained import known_trained
from manus.settings.frozen import Frozen

Sense = Literal["vision", "audio_input", "audio_output", "vision_output", "video_output"]
DEFAULT = "default"
PACKAGE, TRAINED = "package:", "trained:"
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def trained_encoders() -> list[str]:
    """Return the names of the encoders that a recipe can train by itself, as written after `trained:`."""
    return list(known_trained())


def _of_known_shape(spec: str) -> str:
    if spec.startswith(PACKAGE):
        name, _, path = spec.removeprefix(PACKAGE).partition("/")
        if not name or not path.strip("/"):
            raise ValueError(
                f"{spec!r} must be package:DISTRIBUTION/PATH, the path of a folder inside a package"
            )
    elif spec.startswith(TRAINED):
        name = spec.removeprefix(TRAINED)
        if name not in trained_encoders():
            raise ValueError(
                f"{spec!r} names nothing that can be trained here; {did_you_mean(name, trained_encoders())}"
            )
    elif ":" in spec:
        known = [PACKAGE, TRAINED]
        guess = nearest(spec.split(":")[0] + ":", known)
        raise ValueError(
            f"{spec!r} starts with no known word; "
            + (f"did you mean {guess}?" if guess else f"known: {', '.join(known)}")
        )
    elif "/" not in spec and not spec.startswith((".", "~")):
        raise ValueError(
            f"{spec!r} is neither a hub id, as in google/siglip2-base-patch16-224, "
            f"nor a folder, as in ./{spec}"
        )
    elif "@" in spec and not spec.startswith((".", "/", "~")) and HUB_ID.fullmatch(spec) is None:
        raise ValueError(f"{spec!r} is no hub id; write OWNER/NAME@REVISION")
    return spec


def _a_word(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot name a choice; use letters, digits, '.', '_' and '-'")
    return name


def _has_default(choices: dict[str, str]) -> dict[str, str]:
    if DEFAULT not in choices:
        raise ValueError("names no `default`; add `default: ...`, which recipes get that say nothing")
    return choices


Name = Annotated[str, AfterValidator(_a_word)]
Spec = Annotated[str, Field(min_length=1), AfterValidator(_of_known_shape)]
Choices = Annotated[dict[Name, Spec], AfterValidator(_has_default)]


class EncoderSettings(Frozen):
    """The encoders of the senses in, and the codec of speech out."""

    vision: Choices
    audio_input: Choices
    audio_output: Choices


class DecoderSettings(Frozen):
    """The decoders of the senses out."""

    vision_output: Choices
    video_output: Choices


class SenseSettings(Frozen):
    """What a recipe can choose from, by sense."""

    encoders: EncoderSettings
    decoders: DecoderSettings

    def choices(self, sense: Sense) -> Mapping[str, str]:
        """Return the specs of a sense by name."""
        section = self.decoders if sense in DecoderSettings.model_fields else self.encoders
        found: Mapping[str, str] = getattr(section, sense)
        return found

    def spec_of(self, sense: Sense, chosen: str | None) -> str:
        """Return the spec of what a recipe chose: nothing, a name, or a spec itself.

        Raises:
            ModelError: it is none of these.
        """
        choices = self.choices(sense)
        name = DEFAULT if chosen is None else chosen
        if name in choices:
            return choices[name]
        try:
            return _of_known_shape(name)
        except ValueError as error:
            if not NAME.fullmatch(name):
                raise ModelError(f"{sense}: {error}") from None
        hint = did_you_mean(name, choices)
        raise ModelError(
            f"{sense}: {name!r} is no choice of configs/encoders.yaml; {hint}; a folder is ./{name}"
        )
