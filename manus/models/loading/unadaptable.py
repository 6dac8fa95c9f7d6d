"""Says which linear layers of a model cannot carry an adapter, and why. Knows no family.

An adapter adds to what a layer returns when it is called. That is the layer's effect only where the layer
returns its linear map and nothing else, and where nothing else computes with its weight.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections import Counter
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from manus.errors import ModelError, blamed_on
from manus.models.loaders import build_from, load_from

# `self.out_proj.weight` handed on whole, as Mamba's kernels take it; not its type or a slice, which computes
# the same.
WEIGHT_TAKEN = re.compile(r"self\.(\w+)\.weight\b(?!\s*\[|\.(?:dtype|device|shape)\b)")
POSITIONS = 3  # of the input on which a layer shows what it returns


def unadaptable(model: nn.Module) -> dict[str, str]:
    """Return the full names of linear layers that an adapter would break or miss, each with the reason."""
    reasons: dict[str, str] = {}
    linear = {name: layer for name, layer in model.named_modules() if isinstance(layer, (nn.Linear, Conv1D))}
    uses = Counter(id(layer.weight) for layer in linear.values())
    for name, layer in linear.items():
        above, _, own = name.rpartition(".")
        parent: Any = type(model.get_submodule(above))
        if own in _weights_taken(parent):
            reasons[name] = f"{parent.__name__} computes with its weight past it"
        elif uses[id(layer.weight)] > 1:
            reasons[name] = "another layer shares its weight, and a merged adapter would change both"
        elif _has_own_forward(type(layer)) and not _returns_its_map(layer):
            reasons[name] = f"{type(layer).__name__} returns something else than its linear map"
    return reasons


def used_past_themselves(folder: Path) -> list[str] | None:
    """Return which layers of a folder's model no quantisation may pack, and the head.

    Others compute with the weight of these layers. None where there are none: then the library spares what it
    always does, which is the head.

    Raises:
        ModelError: no model can be built as the folder's configuration says.
    """
    failed = f"{folder}: its config.json builds no model"
    config = load_from(AutoConfig, folder, failed)
    with torch.device("meta"), blamed_on(failed, ModelError):
        model = build_from(AutoModelForCausalLM, config)
    modules: dict[str, Any] = dict(model.named_modules())
    above: dict[str, Any] = {name: type(modules[name.rpartition(".")[0]]) for name in modules}
    taken = [name for name, kind in above.items() if name.rpartition(".")[2] in _weights_taken(kind)]
    heads = [name for name, module in modules.items() if module is model.get_output_embeddings()]
    return [*taken, *heads] if taken else None


@functools.cache
def _weights_taken(kind: Any) -> frozenset[str]:
    """Return the parts whose weight a module of transformers computes with where it could call them."""
    if not kind.__module__.startswith("transformers."):
        return frozenset()
    methods = [
        value for value in vars(kind).values() if inspect.isfunction(value) and value.__name__ != "__init__"
    ]
    return frozenset(name for method in methods for name in WEIGHT_TAKEN.findall(inspect.getsource(method)))


def _has_own_forward(kind: type[nn.Module]) -> bool:
    """Tell whether transformers changed a linear layer's forward pass; quantised ones are their library's."""
    return kind.__module__.startswith("transformers.models.") and kind.forward is not nn.Linear.forward


@torch.no_grad()
def _returns_its_map(layer: nn.Module) -> bool:
    """Tell whether a layer returns W x + b, on random inputs."""
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    x = torch.linspace(-1, 1, POSITIONS * weight.shape[1], device=weight.device, dtype=weight.dtype)
    x = x.view(1, POSITIONS, -1)
    try:
        returned = layer(x)
    except (IndexError, RuntimeError, TypeError, ValueError):
        return False
    if not isinstance(returned, torch.Tensor):
        return False
    expected = F.linear(x, weight, layer.bias)  # type: ignore[arg-type]
    return returned.shape == expected.shape and torch.allclose(returned, expected, rtol=1e-2, atol=1e-4)
