"""Attention over several samples in one row that never see each other. Knows nothing of batches or losses.

`segments` is registered with transformers' attention interface: it reads the samples' boundaries from
`cu_seq_lens_q`, as FlashAttention's variable-length kernels do, and runs PyTorch's scaled-dot-product
attention sample by sample, so no mask over the whole row is ever built.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface
from transformers.utils import is_flash_attn_2_available

SEGMENTS = "manus_segments"
LARGEST_RELATIVE_DIFFERENCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 2e-2}

# Shapes: B batch (1), H heads, G key-value heads, T tokens of the row, S tokens of one sample, D head size.


def segments(
    module: torch.nn.Module,
    query_BHTD: torch.Tensor,
    key_BGTD: torch.Tensor,
    value_BGTD: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Return attention outputs [B, T, H, D] for a row of samples, each causal within itself.

    Raises:
        ValueError: boundaries are missing, or the model wants something this function does not do.
    """
    if cu_seq_lens_q is None:
        raise ValueError("attention by segments needs cu_seq_lens_q, and this model does not hand it on")
    if kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None:
        raise ValueError("attention by segments knows neither soft-capping nor attention sinks")
    lengths = cu_seq_lens_q.diff().tolist()
    parts = (tensor.split_with_sizes(lengths, 2) for tensor in (query_BHTD, key_BGTD, value_BGTD))
    outputs = []
    for q, k, v in zip(*parts, strict=True):
        mask = _window(q, sliding_window)
        outputs.append(
            F.scaled_dot_product_attention(
                q, k, v, mask, dropout, is_causal=mask is None, scale=scaling, enable_gqa=True
            )
        )
    return torch.cat(outputs, 2).transpose(1, 2).contiguous(), None


def _window(query_BHSD: torch.Tensor, size: int | None) -> torch.Tensor | None:
    """Return a causal mask [S, S] of a sliding window, or None where the sample fits into the window."""
    length = query_BHSD.shape[2]
    if size is None or length <= size:
        return None
    allowed = torch.ones(length, length, dtype=torch.bool, device=query_BHSD.device)
    return allowed.tril().triu(1 - size)


AttentionInterface.register(SEGMENTS, segments)
AttentionMaskInterface.register(SEGMENTS, lambda *args, **kwargs: None)


def keep_samples_apart(model: PreTrainedModel, samples: list[list[int]]) -> bool:
    """Switch the model to an attention that keeps samples of one row apart, if that works for it.

    The proof is made on this very model: the logits of a row of `samples` (token ids) must equal those of each
    sample alone. Otherwise the attention is left as it was, and False says that rows must be padded.
    """
    before = model.config._attn_implementation
    if not model._supports_attention_backend:
        return False
    flash = ["flash_attention_2"] if model.device.type == "cuda" and is_flash_attn_2_available() else []
    alone = [_logits(model, [sample]) for sample in samples]
    for implementation in (*flash, SEGMENTS):
        model.set_attn_implementation(implementation)
        try:
            together = _logits(model, samples)
        except (ValueError, TypeError, RuntimeError):
            continue
        expected = torch.cat(alone, 1)
        allowed = LARGEST_RELATIVE_DIFFERENCE.get(expected.dtype, 1e-3) * expected.abs().max()
        if together.shape == expected.shape and (together - expected).abs().max() <= allowed:
            return True
    model.set_attn_implementation(before)
    return False


@torch.no_grad()
def _logits(model: PreTrainedModel, samples: list[list[int]]) -> torch.Tensor:
    inputs: dict[str, Any] = {"input_ids": torch.tensor([[token for sample in samples for token in sample]])}
    if len(samples) > 1:
        inputs |= boundaries([len(sample) for sample in samples])
    moved = {name: value.to(model.device) if torch.is_tensor(value) else value for name, value in inputs.items()}
    with without_dropout(model):
        logits: torch.Tensor = model(**moved, use_cache=False).logits
    return logits


@contextmanager
def without_dropout(model: torch.nn.Module) -> Iterator[None]:
    """Set everything but 4-bit layers to evaluation: those, once evaluated, are repacked for good and lose gradients."""
    modules = list(model.modules())
    were_training = [module.training for module in modules]
    for module in modules:
        module.training = type(module).__name__ == "Linear4bit"
    try:
        yield
    finally:
        for module, was_training in zip(modules, were_training, strict=True):
            module.training = was_training


def boundaries(lengths: list[int]) -> dict[str, Any]:
    """Return what tells a model where the samples of one row begin: positions and cumulative lengths."""
    cumulative = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
    positions = torch.cat([torch.arange(length) for length in lengths])
    return {
        "position_ids": positions[None],
        "cu_seq_lens_q": cumulative,
        "cu_seq_lens_k": cumulative,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }
