"""Loads an encoder out of a model folder: of a larger model only its part. Knows nothing of where folders come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
import transformers
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from manus.errors import ModelError
from manus.models.encoders.families import FAMILIES
from manus.models.folders import weight_files

UNREAD = ("pooler.",)  # a classifier's checkpoint lacks it, and nothing here reads it


def model_type_of(folder: Path) -> str:
    """Return the `model_type` of a model folder."""
    return str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type"))


def load_encoder(folder: Path) -> PreTrainedModel:
    """Return the encoder in a folder, in the type its weights are stored in.

    The folder may hold the encoder alone, or a larger model that it is a part of: both halves of Whisper, both towers
    of CLIP or SigLIP, a classifier on DINOv2 or ViT.

    Raises:
        ModelError: it is of no kind that works here, or a weight of the encoder is missing or has another shape.
    """
    family = FAMILIES.get(model_type_of(folder))
    if family is None:
        raise ModelError(f"{folder}: the model_type {model_type_of(folder)!r} is no encoder that works here")
    try:
        if family.model == WhisperEncoder.__name__:
            return _whisper_encoder(folder).eval()
        return _whole(getattr(transformers, family.model), folder, UNREAD).eval()
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"the encoder in {folder} cannot be loaded: {str(error).splitlines()[0]}") from None


def weights_digest(weights: Mapping[str, torch.Tensor]) -> str:
    """Return one sha256 over weights: their names, types, shapes and bits, in the order of their names.

    It does not depend on how files are cut or what else stands in them, so that of `load_encoder(...).state_dict()`
    is that of the folder which `materialise` wrote.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _whole(kind: type[PreTrainedModel], folder: Path, may_miss: tuple[str, ...] = ()) -> PreTrainedModel:
    """Load a model of which no weight may be missing; those that may are zero."""
    model, told = kind.from_pretrained(folder, dtype="auto", local_files_only=True, output_loading_info=True)
    missing = {name for name in told["missing_keys"] if not name.startswith(may_miss or ("\0",))}
    wrong = sorted(missing | {entry[0] for entry in told["mismatched_keys"]})
    if wrong:
        raise ModelError(
            f"{folder} lacks weights of {kind.__name__}, or has them in another shape: {', '.join(wrong[:3])}"
        )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in told["missing_keys"]:
                parameter.zero_()
    found: PreTrainedModel = model
    return found


def _whisper_encoder(folder: Path) -> PreTrainedModel:
    with safe_open(weight_files(folder)[0], framework="pt") as file:
        is_alone = not any(name.startswith(("model.", "encoder.", "decoder.")) for name in file.keys())  # noqa: SIM118
    if is_alone:
        return _whole(WhisperEncoder, folder)
    encoder = _whole(WhisperModel, folder).get_encoder()
    assert isinstance(encoder, PreTrainedModel), "Whisper's encoder is a model of its own"
    return encoder
