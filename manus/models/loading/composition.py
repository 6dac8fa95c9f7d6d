"""Builds the model that a stage starts from: a base and what earlier stages trained, as plain weights.

Knows nothing of recipes, of training, or of any way to combine stages but one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, AutoModelForMultimodalLM, PreTrainedModel

from manus.errors import ModelError
from manus.models.loaders import load_from
from manus.models.loading.adapters import absorbed, adapted
from manus.models.native.recognising import has_own_senses
from manus.models.senses.projectors import with_projectors


@dataclass(frozen=True, slots=True)
class Trained:
    """What a stage trained, by its kind.

    `adapter` is a PEFT folder, `model` all weights as a transformers folder, `projectors` those alone; a
    `talker` stands beside the model, whose weights it leaves alone.
    """

    name: str
    kind: Literal["adapter", "model", "projectors", "talker"]
    path: Path


def load_model(path: Path, dtype: torch.dtype, device: str = "cpu", **kw: Any) -> PreTrainedModel:
    """Load a causal LM, with the senses that it has, from a local folder of safetensors, without remote code.

    Args:
        path: a folder with config.json and safetensors.
        dtype: of the weights in memory.
        device: where to put them; other than the CPU it becomes `device_map`.
        kw: passed on to `from_pretrained` (`quantization_config`, `attn_implementation`, ...).

    Raises:
        ModelError: the folder is missing, broken, or lacks some of the weights.
    """
    if not (path / "config.json").is_file():
        raise ModelError(f"{path} is not a model folder: it has no config.json")
    if (path / "adapter_config.json").exists():
        raise ModelError(f"{path} holds an adapter beside a model; give the folder of the plain model")
    if device != "cpu":
        kw.setdefault("device_map", device)
    kind = AutoModelForMultimodalLM if has_own_senses(path) else AutoModelForCausalLM
    settings = {"dtype": dtype, "use_safetensors": True, "output_loading_info": True, **kw}
    model, found = load_from(kind, path, f"cannot load a model from {path}", **settings)
    if missing := sorted(found["missing_keys"]):
        raise ModelError(f"{path} lacks {len(missing)} weights, among them {missing[0]}")
    loaded: PreTrainedModel = model
    return loaded


def load_plain(path: Path, dtype: torch.dtype) -> PreTrainedModel:
    """Load a model whose weights can be added to, which quantised ones cannot.

    Raises:
        ModelError: the folder is broken or holds quantised weights.
    """
    model = load_model(path, dtype)
    if getattr(model, "hf_quantizer", None) is not None:
        raise ModelError(f"{path} holds quantised weights; merging needs the full-precision base_model")
    return model


def chain(base: Path, trained: Sequence[Trained]) -> tuple[Path, Sequence[Trained]]:
    """Return the folder that a chain of stages starts from, and the stages to be put onto it, in order.

    A stage that trained all weights holds everything before it, so the last one of those replaces the base.
    """
    weights = [stage for stage in trained if stage.kind != "talker"]
    last = max((index for index, stage in enumerate(weights) if stage.kind == "model"), default=-1)
    return (weights[last].path if last >= 0 else base), weights[last + 1 :]


def talker_of(trained: Sequence[Trained]) -> Path | None:
    """Return the folder of the talker after a chain of stages, None where none trained one."""
    return next((stage.path for stage in reversed(trained) if stage.kind == "talker"), None)


def compose(base: Path, trained: Sequence[Trained], dtype: torch.dtype) -> PreTrainedModel:
    """Return base + stage 1 + ... + stage n as plain, trainable weights on the CPU.

    Adapters are merged onto the weights in `dtype`, also those that were trained on a quantised base (QLoRA).
    An adapter on one side of tied embeddings unties them, because it changed that side only.

    Raises:
        ModelError: the base or a stage is missing, broken, quantised, or does not fit what it is merged onto.
    """
    start, stages = chain(base, trained)
    if not stages:
        return load_model(start, dtype)
    model = load_plain(start, dtype)
    for stage in stages:
        is_adapter = stage.kind == "adapter"
        model = absorbed(adapted(model, stage.path)) if is_adapter else with_projectors(model, stage.path)
    return model
