"""Loads an encoder out of a model folder: of a larger model its part. Knows not where folders are from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from manus.errors import ModelError, blamed_on
from manus.models.encoders.families import FAMILIES, why_unfit
from manus.models.json_files import read_object
from manus.models.loaders import load_from
from manus.models.loading.folders import weight_files

UNREAD = re.compile(r"(^|\.)(pooler|head)\.")  # a classifier's checkpoint lacks it, and nothing here reads it
IN_WHISPER = re.compile(r"^(model\.)?encoder\.")
WHISPER_POSITIONS = "embed_positions.weight"


def model_type_of(folder: Path) -> str:
    """Return the `model_type` of a model folder."""
    return str(read_object(folder / "config.json").get("model_type"))


def encoder_config(sense: str, folder: Path) -> PreTrainedConfig:
    """Read the configuration of an encoder, also from the folder of a model that it is a part of.

    Args:
        sense: `vision` or `audio_input`.
        folder: of the model.

    Raises:
        ModelError: the folder holds no encoder of that sense that works here.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is no encoder's folder: it has no config.json")
    config: PreTrainedConfig = load_from(AutoConfig, folder, f"cannot read {folder}/config.json")
    if why := why_unfit(sense, config.model_type):
        raise ModelError(f"{folder}: {why}")
    part: PreTrainedConfig = getattr(config, "vision_config", config)
    return part


def load_encoder(folder: Path, positions: int | None = None) -> PreTrainedModel:
    """Return the encoder in a folder, in the type its weights are stored in.

    The folder may hold the encoder alone, or a larger model that it is a part of: both halves of Whisper,
    both towers of CLIP or SigLIP, a classifier on DINOv2 or ViT.

    Args:
        folder: of the model.
        positions: how many positions an audio encoder keeps, the first ones; all of them without it.

    Raises:
        ModelError: it is of no kind that works here, or a weight of the encoder is missing or has another
            shape.
    """
    family = FAMILIES.get(model_type_of(folder))
    if family is None:
        raise ModelError(f"{folder}: the model_type {model_type_of(folder)!r} is no encoder that works here")
    with blamed_on(f"the encoder in {folder} cannot be loaded", ModelError):
        if family.sense == "audio_input":
            return _audio_encoder(folder, positions).eval()
        return _vision_encoder(getattr(transformers, family.model), folder).eval()


def weights_digest(weights: Mapping[str, torch.Tensor]) -> str:
    """Return one sha256 over an encoder's weights: names, types, shapes and bits, in the order of names.

    It does not depend on how files are cut or what else stands in them, nor on what nothing here reads: the
    encoder in a larger model, alone in a folder and inside an omni checkpoint have the same.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        if UNREAD.search(name):
            continue
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _vision_encoder(kind: type[PreTrainedModel], folder: Path) -> PreTrainedModel:
    """Load a model of which no weight may be missing but those that nothing reads, which are zero then."""
    settings = {"dtype": "auto", "use_safetensors": True, "output_loading_info": True}
    model, told = load_from(kind, folder, f"the encoder in {folder} cannot be loaded", **settings)
    missing = set(told["missing_keys"])
    _check(folder, kind.__name__, {name for name in missing if not UNREAD.search(name)})
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in missing:
                parameter.zero_()
    found: PreTrainedModel = model
    return found


def _audio_encoder(folder: Path, positions: int | None) -> PreTrainedModel:
    """Load a speech recogniser's encoder half, or an encoder that was saved alone; nothing else is read."""
    # Here, because transformers' Auto classes import ours while Whisper's own module is not whole yet.
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = encoder_config("audio_input", folder)
    config.max_source_positions = positions or config.max_source_positions
    weights = _encoder_weights(folder)
    if positions is not None and WHISPER_POSITIONS in weights:
        weights[WHISPER_POSITIONS] = weights[WHISPER_POSITIONS][:positions].clone()
    with torch.device("meta"):
        encoder = WhisperEncoder(config)
    wanted = encoder.state_dict()
    lacking = {
        name for name, value in wanted.items() if name not in weights or weights[name].shape != value.shape
    }
    _check(folder, WhisperEncoder.__name__, lacking)
    encoder.load_state_dict({name: weights[name] for name in wanted}, assign=True)
    encoder.config.dtype = encoder.dtype
    found: PreTrainedModel = encoder
    return found


def _encoder_weights(folder: Path) -> dict[str, torch.Tensor]:
    alone: dict[str, torch.Tensor] = {}
    inside: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (a file)
                if IN_WHISPER.match(name):
                    inside[IN_WHISPER.sub("", name)] = file.get_tensor(name)
                elif not name.startswith(("model.", "decoder.", "proj_out.")):
                    alone[name] = file.get_tensor(name)
    return inside or alone


def _check(folder: Path, kind: str, lacking: set[str]) -> None:
    if lacking:
        raise ModelError(
            f"{folder} lacks weights of {kind}, or has them in another shape: "
            f"{', '.join(sorted(lacking)[:3])}"
        )
