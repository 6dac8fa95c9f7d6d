"""The names of an omni checkpoint's parts and of the senses they belong to. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping

SENSES = ("vision", "audio")  # each has an encoder and a projector
IN_CHECKPOINT: Mapping[str, str] = {
    "vision": "vision",
    "audio_input": "audio",
}  # by the name that a recipe uses
LANGUAGE_MODEL = "language_model"
ENCODERS = tuple(f"{sense}_encoder" for sense in SENSES)
PROJECTORS = tuple(f"{sense}_projector" for sense in SENSES)
