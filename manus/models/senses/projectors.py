"""Finds the parts of an omni model, puts trained projectors into one. Knows nothing of stages or recipes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from manus.errors import ModelError
from manus.models.detection.modalities import OMNI
from manus.models.native.parts import is_native, parts_of
from manus.models.omni.names import LANGUAGE_MODEL, PROJECTORS

WEIGHTS = "projectors.safetensors"


def is_omni(model: PreTrainedModel) -> bool:
    """Tell whether a model has encoders of ours around its language model."""
    return bool(model.config.model_type == OMNI)


def language_model_of(model: PreTrainedModel) -> PreTrainedModel:
    """Return the causal language model: what an omni model is built around, or else the model itself."""
    inner: PreTrainedModel = getattr(model, LANGUAGE_MODEL) if is_omni(model) else model
    return inner


def projector_parameters(model: PreTrainedModel) -> dict[str, nn.Parameter]:
    """Return the weights between encoders and language model, by name."""
    prefixes = tuple(f"{name}." for name in projectors_of(model))
    return (
        {name: value for name, value in model.named_parameters() if name.startswith(prefixes)}
        if prefixes
        else {}
    )


def has_senses(model: PreTrainedModel) -> bool:
    """Tell whether a model takes in more than text, by encoders of ours or by its own."""
    return is_omni(model) or is_native(model)


def projectors_of(model: PreTrainedModel) -> list[str]:
    """Return the full names of the projectors that a model has."""
    if is_native(model):
        return [*parts_of(model).projectors]
    return [name for name in PROJECTORS if getattr(model, name, None) is not None]


def language_prefix(model: PreTrainedModel) -> str:
    """Return the full name of the language model inside a model with senses."""
    return parts_of(model).language if is_native(model) else LANGUAGE_MODEL


def adaptable(model: PreTrainedModel, targets: str | list[str]) -> list[str]:
    """Return the full names of the linear layers of a model with senses that get an adapter.

    They are of the language model: those that `targets` names, or all but the head. Projectors are trained
    whole, encoders never.

    Raises:
        ModelError: no layer of the language model is meant.
    """
    head = language_model_of(model).get_output_embeddings()
    linear = [(name, part) for name, part in model.named_modules() if isinstance(part, (nn.Linear, Conv1D))]
    prefix = f"{language_prefix(model)}."
    of_language = [name for name, part in linear if name.startswith(prefix) and part is not head]
    if targets != "all-linear":
        wanted = tuple(f".{target}" for target in targets)
        of_language = [name for name in of_language if name.endswith(wanted)]
    if not of_language:
        raise ModelError(
            f"targets: no linear layer of {type(language_model_of(model)).__name__} is called {targets}"
        )
    return of_language


def save_projectors(model: PreTrainedModel, folder: Path) -> None:
    """Write the projectors' weights into a new folder."""
    folder.mkdir(parents=True)
    found = {name: value.detach().contiguous() for name, value in projector_parameters(model).items()}
    save_file(found, folder / WEIGHTS)


def with_projectors(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Replace the model's projectors by trained ones, in the type that its weights have; return the model.

    Raises:
        ModelError: the file is missing or broken, or its tensors are not exactly the model's.
    """
    try:
        stored = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read the projectors in {folder}: {error}") from error
    own = projector_parameters(model)
    for name in _unlike(stored, own):
        raise ModelError(f"the projectors in {folder} are of another model: {name} differs")
    with torch.no_grad():
        for name, value in stored.items():
            own[name].copy_(value)
    return model


def _unlike(stored: dict[str, torch.Tensor], own: dict[str, nn.Parameter]) -> Iterator[str]:
    for name in sorted(stored.keys() | own.keys()):
        if name not in stored or name not in own or stored[name].shape != own[name].shape:
            yield name
