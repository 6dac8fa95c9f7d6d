"""Tells from a configuration whether a model sees or hears by itself. Imports nothing heavy, no processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manus.errors import ModelError, blamed_on
from manus.models.detection import transformers_source
from manus.models.detection.modalities import OMNI, transformers_modalities
from manus.models.json_files import read_object

TABLE = "MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES"
TAKEN_IN = ("vision", "video", "audio_in")


def own_senses(config: Mapping[str, Any]) -> set[str]:
    """Return what a language model takes in beside text by encoders of its own; nothing of our checkpoints.

    Args:
        config: what `config.json` holds.
    """
    model_type = config.get("model_type")
    if not any(key.endswith("_config") and key != "quantization_config" for key in config):
        return set()  # made of one part: known without the time it takes to read transformers' tables
    if model_type == OMNI or model_type not in transformers_source.tables()[TABLE]:
        return set()
    architectures = config.get("architectures") or [transformers_source.tables()[TABLE][model_type]]
    if transformers_source.tables()[TABLE][model_type] not in architectures:
        return set()  # its text part, or its body, saved under the same type
    found = transformers_modalities(config)
    return set(found.reasons) & set(TAKEN_IN) if found.language_model else set()


def has_own_senses(folder: Path) -> bool:
    """Tell whether the model in a folder sees or hears by itself."""
    file = folder / "config.json"
    if not file.is_file():
        return False
    with blamed_on(f"{file} is not the configuration of a model", ModelError):
        return bool(own_senses(read_object(file)))
