"""Keeps a quantisation away from encoders and projectors. Knows nothing of weights."""

from __future__ import annotations

import copy
from typing import Any

from manus.models.omni.names import ENCODERS, PROJECTORS

SPARED = (*ENCODERS, *PROJECTORS)
ENDS = ("lm_head", "embed_out", "embed_tokens", "embed_in")  # what transformers spares where nothing is said
LISTS = ("llm_int8_skip_modules", "modules_to_not_convert")  # as bitsandbytes and the others call it


def sparing_senses(quantization: Any) -> Any:
    """Return a quantisation's description (an object or a dictionary) that is of the language model alone."""
    if isinstance(quantization, dict):
        name = (
            LISTS[0]
            if any(key.startswith(("load_in_", "llm_int8", "bnb_")) for key in quantization)
            else LISTS[1]
        )
        return {**quantization, name: _spared(quantization.get(name))}
    changed = copy.deepcopy(quantization)
    for name in LISTS:
        if hasattr(changed, name):
            setattr(changed, name, _spared(getattr(changed, name)))
    return changed


def _spared(modules: list[str] | None) -> list[str]:
    return sorted({*(modules or ENDS), *SPARED})
