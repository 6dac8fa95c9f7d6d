"""Builds and loads the encoders of an omni checkpoint: frozen parts of other models. Knows nothing of language models."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from manus.errors import ModelError
from manus.models.folders import weight_files

VISION = ("siglip_vision_model", "siglip2_vision_model", "clip_vision_model", "dinov2", "dinov2_with_registers", "vit")
WHOLE = {"siglip": "vision_config", "siglip2": "vision_config", "clip": "vision_config"}
AUDIO = ("whisper",)
FLEXIBLE = "siglip2_vision_model"
WHISPER_POSITIONS = "embed_positions.weight"
UNUSED = re.compile(r"(^|\.)(pooler|head)\.")


def build_vision(config: PreTrainedConfig) -> PreTrainedModel:
    """Return an untrained vision encoder without what sums a picture up in one vector."""
    if config.model_type not in VISION:
        raise ValueError(f"{config.model_type!r} is no vision encoder that works here; use one of {', '.join(VISION)}")
    encoder: PreTrainedModel = AutoModel.from_config(config)
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # type: ignore[assignment]
    return encoder


def build_audio(config: PreTrainedConfig) -> PreTrainedModel:
    """Return an untrained audio encoder; of a model that also writes text, only the encoder."""
    if config.model_type not in AUDIO:
        raise ValueError(f"{config.model_type!r} is no audio encoder that works here; use one of {', '.join(AUDIO)}")
    # Here, because whoever imports Whisper first comes here, through the Auto classes, before its module is whole.
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    encoder: PreTrainedModel = WhisperEncoder(config)
    return encoder


def vision_config(folder: Path) -> PreTrainedConfig:
    """Read the configuration of a vision encoder, also from the folder of a model that it is a part of.

    Raises:
        ModelError: the folder holds no vision encoder that works here.
    """
    config = _config(folder)
    config = getattr(config, WHOLE.get(config.model_type, ""), config)
    if config.model_type not in VISION:
        raise ModelError(
            f"{folder}: {config.model_type!r} is no vision encoder that works here; use {', '.join(VISION)}"
        )
    return config


def audio_config(folder: Path) -> PreTrainedConfig:
    """Read the configuration of an audio encoder.

    Raises:
        ModelError: the folder holds no audio encoder that works here.
    """
    config = _config(folder)
    if config.model_type not in AUDIO:
        raise ModelError(f"{folder}: {config.model_type!r} is no audio encoder that works here; use {', '.join(AUDIO)}")
    return config


def load_vision(folder: Path, config: PreTrainedConfig) -> PreTrainedModel:
    """Load a vision encoder's weights in the type they are stored in.

    Raises:
        ModelError: the folder is broken or lacks weights.
    """
    kind = MODEL_MAPPING[type(config)]
    try:
        encoder, found = kind.from_pretrained(
            folder, dtype="auto", local_files_only=True, use_safetensors=True, output_loading_info=True,
            trust_remote_code=False,
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"cannot load a vision encoder from {folder}: {error}") from error
    if missing := sorted(key for key in found["missing_keys"] if not UNUSED.search(key)):
        raise ModelError(f"{folder} lacks {len(missing)} weights of the vision encoder, among them {missing[0]}")
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    loaded: PreTrainedModel = encoder
    return loaded


def load_audio(folder: Path, config: PreTrainedConfig) -> PreTrainedModel:
    """Load an audio encoder's weights in the type they are stored in, and nothing of its decoder.

    A `config` with fewer `max_source_positions` than are stored keeps the first ones.

    Raises:
        ModelError: the folder is broken or lacks weights.
    """
    weights = _encoder_weights(folder)
    if WHISPER_POSITIONS in weights:
        weights[WHISPER_POSITIONS] = weights[WHISPER_POSITIONS][: config.max_source_positions].clone()
    with torch.device("meta"):
        encoder = build_audio(config)
    try:
        encoder.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise ModelError(f"{folder} does not hold the weights of its audio encoder: {error}") from None
    return encoder


def digest(encoder: nn.Module) -> str:
    """Return the sha256 of an encoder's names, types, shapes and bits."""
    total = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        if UNUSED.search(name):
            continue
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        total.update(tensor.detach().contiguous().cpu().flatten().view(torch.uint8).numpy())
    return total.hexdigest()


def load_referenced(sense: str, reference: Mapping[str, Any], config: PreTrainedConfig) -> PreTrainedModel:
    """Load the encoder that a checkpoint refers to, and check that it is the same as when it was referred to.

    Raises:
        ModelError: it cannot be found, or has other weights.
    """
    folder = _referenced_folder(sense, reference)
    encoder = load_vision(folder, config) if sense == "vision" else load_audio(folder, config)
    if digest(encoder) != reference["sha256"]:
        raise ModelError(
            f"the {sense} encoder in {folder} is not the one this checkpoint was made with (another sha256); "
            "restore it, or make the checkpoint again"
        )
    return encoder


def _referenced_folder(sense: str, reference: Mapping[str, Any]) -> Path:
    if "folder" in reference:
        folder = Path(reference["folder"]).expanduser()
        if not folder.is_dir():
            raise ModelError(f"the {sense} encoder of this checkpoint is referred to, not stored, and {folder} is gone")
        return folder
    from huggingface_hub import snapshot_download

    from manus.models.base import MODEL_FILES, unreachable

    name, revision = reference["hub"], reference.get("revision")
    try:
        patterns = [f"*{ending}" for ending in MODEL_FILES]
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except unreachable() as error:
        raise ModelError(
            f"the {sense} encoder of this checkpoint is referred to, not stored: {name}@{revision} cannot be had "
            f"({type(error).__name__}); connect to the hub once, or make the checkpoint with embed_encoders: true"
        ) from None


def _config(folder: Path) -> PreTrainedConfig:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is no encoder's folder: it has no config.json")
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"cannot read {folder}/config.json: {error}") from error
    return config


def _encoder_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights of the encoder half of a speech recogniser, or of an encoder saved alone."""
    weights: dict[str, torch.Tensor] = {}
    for file in weight_files(folder):
        weights |= load_file(file)
    inside = {
        re.sub(r"^(model\.)?encoder\.", "", name): name for name in weights if re.match(r"(model\.)?encoder\.", name)
    }
    return {short: weights[name] for short, name in inside.items()} if inside else weights
