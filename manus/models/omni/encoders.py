"""Builds an omni checkpoint's encoders, and loads those it refers to. Knows nothing of language models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoModel, PreTrainedConfig, PreTrainedModel

from manus.errors import ModelError
from manus.files import at_home
from manus.models.encoders.families import why_unfit
from manus.models.encoders.loading import load_encoder, weights_digest
from manus.models.loaders import build_from

FLEXIBLE = "siglip2_vision_model"


def build_vision(config: PreTrainedConfig) -> PreTrainedModel:
    """Return an untrained vision encoder without what sums a picture up in one vector."""
    if why := why_unfit("vision", config.model_type):
        raise ValueError(f"vision_config: {why}")
    return _looking_only(build_from(AutoModel, config))


def build_audio(config: PreTrainedConfig) -> PreTrainedModel:
    """Return an untrained audio encoder; of a model that also writes text, only the encoder."""
    if why := why_unfit("audio_input", config.model_type):
        raise ValueError(f"audio_config: {why}")
    # Here, because whoever imports Whisper first comes here, through the Auto classes, before its module is
    # whole.
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    encoder: PreTrainedModel = WhisperEncoder(config)
    return encoder


def load_vision(folder: Path) -> PreTrainedModel:
    """Load a vision encoder as an omni checkpoint has it; see `load_encoder`."""
    return _looking_only(load_encoder(folder))


def load_audio(folder: Path, config: PreTrainedConfig) -> PreTrainedModel:
    """Load an audio encoder as an omni checkpoint has it: with the window that its configuration says."""
    return load_encoder(folder, config.max_source_positions)


def load_referenced(sense: str, reference: Mapping[str, Any], config: PreTrainedConfig) -> PreTrainedModel:
    """Load the encoder that a checkpoint refers to, and check that it is the same as when it was referred to.

    Raises:
        ModelError: it cannot be found, or has other weights.
    """
    folder = _referenced_folder(sense, reference)
    encoder = load_vision(folder) if sense == "vision" else load_audio(folder, config)
    if weights_digest(encoder.state_dict()) != reference["sha256"]:
        raise ModelError(
            f"the {sense} encoder in {folder} is not the one this checkpoint was made with (another sha256); "
            "restore it, or make the checkpoint again"
        )
    return encoder


def _looking_only(encoder: Any) -> PreTrainedModel:
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder  # type: ignore[no-any-return]


def _referenced_folder(sense: str, reference: Mapping[str, Any]) -> Path:
    if "folder" in reference:
        folder = at_home(reference["folder"])
        if not folder.is_dir():
            raise ModelError(
                f"the {sense} encoder of this checkpoint is referred to, not stored, and {folder} is gone"
            )
        return folder
    from huggingface_hub import snapshot_download

    from manus.hub import MODEL_FILES, unreachable

    name, revision = reference["hub"], reference.get("revision")
    try:
        patterns = [f"*{ending}" for ending in MODEL_FILES]
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except unreachable() as error:
        raise ModelError(
            f"the {sense} encoder of this checkpoint is referred to, not stored: {name}@{revision} cannot be "
            f"had ({type(error).__name__}); connect to the hub once, or make the checkpoint with "
            "embed_encoders: true"
        ) from None
