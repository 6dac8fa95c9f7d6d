"""Finds language model, projectors and encoders in a model that transformers made. Knows no family.

A projector is what lies between an encoder and the language model; it is known by its name. Whatever is
neither language model nor projector is taken for an encoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForMultimodalLM, PreTrainedModel

from manus.errors import ModelError
from manus.models.loaders import build_from, load_from
from manus.models.native.recognising import own_senses

PROJECTORS = (
    "multi_modal_projector",
    "multimodal_projector",
    "mm_projector",
    "vision_projector",
    "audio_projector",
    "projector",
    "connector",
    "aligner",
    "merger",
    "deepstack_merger_list",
    "embed_vision",
    "embed_audio",
)


@dataclass(frozen=True, slots=True)
class Parts:
    """Full names of the modules of a model."""

    language: str
    head: str
    projectors: tuple[str, ...]

    def is_of_language(self, name: str) -> bool:
        """Tell whether a module or weight is one of the language model."""
        return any(_within(name, part) for part in (self.language, self.head) if part)

    def is_frozen(self, name: str) -> bool:
        """Tell whether a module or weight is an encoder's: neither the language model's nor a projector's."""
        return not self.is_of_language(name) and not any(_within(name, part) for part in self.projectors)


def is_native(model: PreTrainedModel) -> bool:
    """Tell whether a model has senses that are not of our making."""
    return bool(own_senses(model.config.to_dict()))


def parts_of(model: PreTrainedModel) -> Parts:
    """Find the parts of a model that has senses of its own.

    Raises:
        ModelError: no language model is to be found in it.
    """
    names = {id(module): name for name, module in model.named_modules()}
    decoder, head = model.get_decoder(), model.get_output_embeddings()
    language = names.get(id(decoder), "")
    if not language or decoder is model.base_model:
        raise ModelError(f"no language model is to be found in {type(model).__name__}; it cannot be trained")
    found = [
        full
        for name, module in model.named_modules()
        if name.rsplit(".")[-1] in PROJECTORS and not _within(name, language)
        for full in _wrappable(name, module)
    ]
    outer = [name for name in found if not any(name != other and _within(name, other) for other in found)]
    return Parts(language, names.get(id(head), ""), tuple(outer))


def _wrappable(name: str, module: nn.Module) -> list[str]:
    """Return a module's name, or those of a list's members: PEFT takes no list as a whole."""
    return (
        [f"{name}.{index}" for index in range(len(module))] if isinstance(module, nn.ModuleList) else [name]
    )


def keep_encoders(model: PreTrainedModel) -> None:
    """Freeze the encoders of a model, and keep them as they are when the model is set to training."""
    parts = parts_of(model)
    for name, weight in model.named_parameters():
        if parts.is_frozen(name):
            weight.requires_grad_(False)
    for name in _encoders(model, parts):
        module = model.get_submodule(name)
        module.eval()
        module.train = MethodType(_stay, module)  # type: ignore[method-assign]


def spared(folder: Path) -> list[str]:
    """Return a folder's modules that quantisation leaves alone: all but the body of its language model."""
    config = load_from(AutoConfig, folder, f"{folder}: its config.json cannot be read")
    with torch.device("meta"):
        model = build_from(AutoModelForMultimodalLM, config)
    parts = parts_of(model)
    return sorted({*_encoders(model, parts), *parts.projectors, parts.head} - {""})


def _encoders(model: PreTrainedModel, parts: Parts) -> Iterator[str]:
    """Yield the names of the outermost modules that hold nothing but encoders."""
    kept = (parts.language, parts.head, *parts.projectors)

    def below(module: nn.Module, name: str) -> Iterator[str]:
        for child, part in module.named_children():
            full = f"{name}.{child}" if name else child
            if not parts.is_frozen(full):
                continue
            if any(_within(other, full) for other in kept):
                yield from below(part, full)
            else:
                yield full

    yield from below(model, "")


def _stay(module: nn.Module, mode: bool = True) -> Any:
    return module


def _within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")
