"""The arithmetic of a training step's memory, before anything is allocated. Knows nothing of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHARE_TO_FILL = 0.8  # of the free memory; the rest is for the allocator's gaps and for other programs
KEPT_HIDDEN = 12  # numbers of the hidden size that a layer keeps for one token
KEPT_HEADS = 2  # the same of queries, keys and values: before and after rotation
KEPT_INNER = 4  # the same of the MLP's inner size: gate, its activation, up, their product
KEPT_LOGITS = 3  # logits, their log-softmax, the gradient
LOGITS_BY_PARTS = 2**25
ADAM_BYTES = 12  # of each trained weight: gradient and two moments in 32 bits


def kept_bytes(config: Mapping[str, Any], tokens: int, bytes_per_number: int, by_parts: bool) -> int:
    """Return how much memory the activations of one forward pass take.

    Args:
        config: the model's `config.json`; of a composed model, its part for text.
        tokens: in the forward pass, padding included.
        bytes_per_number: of the arithmetic.
        by_parts: whether the logits are never there all at once.
    """
    text: Mapping[str, Any] = config.get("text_config") or config
    hidden = _largest(text, "hidden_size", "n_embd") or 4096
    layers = _largest(text, "num_hidden_layers", "n_layer") or 32
    inner = _largest(text, "intermediate_size", "n_inner") or 4 * hidden
    active = _largest(text, "num_experts_per_tok") or 1  # of a mixture of experts
    heads = _largest(text, "num_attention_heads", "n_head") or 1
    size = _largest(text, "head_dim") or hidden // heads
    values = _largest(text, "num_key_value_heads") or heads
    numbers = KEPT_HIDDEN * hidden + KEPT_HEADS * (heads + 2 * values) * size + KEPT_INNER * inner * active
    logits = tokens * (_largest(text, "vocab_size") or 32_000)
    at_once = min(logits, LOGITS_BY_PARTS) if by_parts else logits
    return layers * tokens * numbers * bytes_per_number + KEPT_LOGITS * 4 * at_once


def must_checkpoint(needed_bytes: int, free_bytes: int) -> bool:
    """Tell whether activations must be computed twice because there is no room to keep them."""
    return needed_bytes > SHARE_TO_FILL * free_bytes


def free_bytes() -> int:
    """Return how much memory the device that trains can still give."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    import psutil

    return int(psutil.virtual_memory().available)


def _largest(text: Mapping[str, Any], *names: str) -> int:
    """Return a size under the first name with one, the largest where layers have their own; 0 without any."""
    given = next((value for name in names if (value := text.get(name))), 0)
    return int(max(given, default=0) if isinstance(given, list) else given)
