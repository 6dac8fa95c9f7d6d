"""Says which models can listen as it comes: those that compute the same of pieces as of the whole."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from manus.models.generation import caches
from manus.models.generation.joining import (
    STRETCHING,
    TOLERATED,
    TOLERATED_IN_16_BITS,
    may_join,
    ordinary_tokens,
)
from manus.models.generation.questions import Drawing, Question
from manus.models.generation.reading import Prompt
from manus.models.senses.projectors import is_omni

_found: WeakKeyDictionary[PreTrainedModel, str] = WeakKeyDictionary()
FINE = ""


def why_unfit(model: PreTrainedModel) -> str | None:
    """Return why a model cannot read pieces of sound, pictures and frames as they come, None where it can.

    The last reason is tried on the model itself, once: a few tokens are read in two pieces and in one.
    """
    if model not in _found:
        _found[model] = _why_unfit(model) or FINE
    return _found[model] or None


def _why_unfit(model: PreTrainedModel) -> str | None:
    kind = model.config.model_type
    if not is_omni(model):
        return (
            f"{kind} has a processor of its own, which prepares a whole conversation: its encoder looks at a "
            "whole clip, and places of media are counted in all of the text. A model whose stage `omni` gave "
            "it senses listens as it comes; set longest_audio_seconds there to the piece, such as 0.64"
        )
    text = model.config.get_text_config(decoder=True)
    said = getattr(text, "rope_parameters", None) or {}
    kinds = [said, *(value for value in said.values() if isinstance(value, dict))]
    if any(each.get("rope_type") in STRETCHING for each in kinds):
        return (
            f"positions of {text.model_type} stretch as a text grows, so that what was read would have to be "
            "read again"
        )
    if not model._supports_default_dynamic_cache() or not caches.is_known(caches.empty(model)):
        return f"{text.model_type} keeps what it has read in a form that is not known here"
    if caches.has_states(caches.empty(model)):
        return f"{text.model_type} keeps a state, which goes on one token at a time only"
    if not _is_alike(model) or not may_join(model, Question(_few(model), Drawing(max_new_tokens=1, ends=()))):
        return f"{text.model_type} computes something else of a text in two pieces than of the whole"
    return None


def _few(model: PreTrainedModel) -> Prompt:
    return ordinary_tokens(model.config.get_text_config(decoder=True).vocab_size)


@torch.no_grad()
def _is_alike(model: Any) -> bool:
    ids_1T = torch.tensor([_few(model)], device=model.device)
    whole = model(ids_1T, use_cache=True, past_key_values=caches.empty(model)).logits[0, -1].float()
    cache = caches.empty(model)
    model(ids_1T[:, :2], use_cache=True, past_key_values=cache)
    pieces = model(ids_1T[:, 2:], use_cache=True, past_key_values=cache).logits[0, -1].float()
    tolerated = TOLERATED if model.dtype in (torch.float32, torch.float64) else TOLERATED_IN_16_BITS
    difference = (whole - pieces).square().mean().sqrt()
    return bool(difference <= tolerated * whole.std())
