"""Attention over several samples in one row that never see each other. Knows nothing of batches or losses.

`segments` is registered with transformers' attention interface: it reads the samples' boundaries from
`cu_seq_lens_q` and `cu_seq_lens_k`, as FlashAttention's variable-length kernels do, and runs PyTorch's
scaled-dot-product attention sample by sample, so no mask over the whole row is ever built.

A beginning that all samples share, such as a system prompt, may stand in the row once, as its first segment:
what a causal model computes there does not depend on what follows. Each sample then sees more keys than it
has queries.
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

# Shapes: B batch (1), H heads, G key-value heads, T tokens of the row, S tokens of one sample, D head size,
# P tokens of the beginning that all samples share.


def segments(
    module: torch.nn.Module,
    query_BHTD: torch.Tensor,
    key_BGTD: torch.Tensor,
    value_BGTD: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    cu_seq_lens_k: torch.Tensor | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Return attention outputs [B, T, H, D] for a row of samples, causal within each and a shared beginning.

    Raises:
        ValueError: boundaries are missing, or the model wants something this function does not do.
    """
    if cu_seq_lens_q is None:
        raise ValueError("attention by segments needs cu_seq_lens_q, and this model does not hand it on")
    if kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None:
        raise ValueError("attention by segments knows neither soft-capping nor attention sinks")
    own = cu_seq_lens_q.diff().tolist()
    seen = own if cu_seq_lens_k is None else cu_seq_lens_k.diff().tolist()
    split = (tensor.split_with_sizes(own, 2) for tensor in (query_BHTD, key_BGTD, value_BGTD))
    parts = list(zip(*split, strict=True))
    if any(length not in (size, size + own[0]) for size, length in zip(own, seen, strict=True)):
        raise ValueError("a sample sees its own tokens, or also those of the first segment")
    outputs = []
    for part, length in zip(parts, seen, strict=True):
        shared = length - part[0].shape[2]
        # The beginning's queries are asked again, which costs little, so that the causal kernel fits.
        q, k, v = (torch.cat(pair, 2) for pair in zip(parts[0], part, strict=True)) if shared else part
        mask = _window(q, sliding_window)
        attended = F.scaled_dot_product_attention(
            q, k, v, mask, dropout, is_causal=mask is None, scale=scaling, enable_gqa=True
        )
        outputs.append(attended[:, :, shared:])
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


def logits_alone(model: PreTrainedModel, samples: list[list[int]]) -> list[torch.Tensor]:
    """Return what a model says of each sample (token ids) alone, [T, V]: what other layouts must equal.

    All are asked at once, as rows of a batch that are filled up behind, where a causal model does not look.
    To be called before an attention is chosen that asks for boundaries.
    """
    longest = max(map(len, samples))
    rows = [sample + sample[-1:] * (longest - len(sample)) for sample in samples]
    logits_BTV = _logits(model, {"input_ids": torch.tensor(rows)})
    return [logits_TV[: len(sample)] for sample, logits_TV in zip(samples, logits_BTV, strict=True)]


def keep_samples_apart(
    model: PreTrainedModel, samples: list[list[int]], alone: list[torch.Tensor] | None = None
) -> bool:
    """Switch the model to an attention that keeps samples of one row apart, if that works for it.

    The proof is made on this very model: the logits of a row of `samples` (token ids) must equal those of
    each sample `alone`, which are computed where they are not known. Otherwise the attention is left as it
    was, and False says that rows must be padded.
    """
    before = model.config._attn_implementation
    if not model._supports_attention_backend:
        return False
    flash = ["flash_attention_2"] if model.device.type == "cuda" and is_flash_attn_2_available() else []
    expected = torch.cat(alone or logits_alone(model, samples))
    for implementation in (*flash, SEGMENTS):
        model.set_attn_implementation(implementation)
        try:
            together = _logits_of_row(model, samples)
        except (ValueError, TypeError, RuntimeError):
            continue
        if _is_equal(together, expected):
            return True
    model.set_attn_implementation(before)
    return False


def can_share_beginnings(
    model: PreTrainedModel, samples: list[list[int]], alone: list[torch.Tensor] | None = None
) -> bool:
    """Tell whether a beginning that samples share may be computed once, as the model shows on `samples`.

    They must begin alike. To be called when `keep_samples_apart` has chosen an attention: what that says of a
    row is the yardstick where the logits of each sample `alone` are not known. FlashAttention's kernels take
    a sample's keys from the row, where a shared beginning is not beside each sample.
    """
    if model.config._attn_implementation != SEGMENTS:
        return False
    differs = (len(set(column)) > 1 for column in zip(*samples, strict=False))
    shared = next(
        (place for place, is_different in enumerate(differs) if is_different), min(map(len, samples))
    )
    shared = min(shared, min(map(len, samples)) - 1)
    assert shared > 0, "samples begin alike, and each has tokens of its own"
    expected = alone or torch.split(_logits_of_row(model, samples), [len(sample) for sample in samples])
    once = _logits_of_row(model, samples, shared)
    return _is_equal(once, torch.cat([expected[0][:shared], *(logits_TV[shared:] for logits_TV in expected)]))


def _is_equal(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Tell whether logits differ by no more than rounding."""
    allowed = LARGEST_RELATIVE_DIFFERENCE.get(expected.dtype, 1e-3) * expected.abs().max()
    return found.shape == expected.shape and bool((found - expected).abs().max() <= allowed)


def _logits_of_row(model: PreTrainedModel, samples: list[list[int]], shared: int = 0) -> torch.Tensor:
    """Return the logits [T, V] of samples in one row, of which the first `shared` tokens are the same."""
    row = samples[0][:shared] + [token for sample in samples for token in sample[shared:]]
    lengths = [len(sample) for sample in samples]
    return _logits(model, {"input_ids": torch.tensor([row]), **boundaries(lengths, shared)})[0]


@torch.no_grad()
def _logits(model: PreTrainedModel, inputs: dict[str, Any]) -> torch.Tensor:
    """Return the logits [B, T, V] of a model without dropout."""
    moved = {
        name: value.to(model.device) if torch.is_tensor(value) else value for name, value in inputs.items()
    }
    with without_dropout(model):
        logits: torch.Tensor = model(**moved, use_cache=False).logits
    return logits


@contextmanager
def without_dropout(model: torch.nn.Module) -> Iterator[None]:
    """Set all but 4-bit layers to evaluation: once evaluated, those are repacked and lose gradients."""
    wanted = [(module, type(module).__name__ == "Linear4bit") for module in model.modules()]
    changed = [(module, is_training) for module, is_training in wanted if module.training != is_training]
    for module, is_training in changed:
        module.training = is_training
    try:
        yield
    finally:
        for module, is_training in changed:
            module.training = not is_training


def boundaries(lengths: list[int], shared: int = 0) -> dict[str, Any]:
    """Return what tells a model where the samples of one row begin: positions and cumulative lengths.

    Args:
        lengths: tokens of each sample, with the shared beginning.
        shared: how many tokens all samples begin with; they stand before them once.
    """
    seen = [shared, *lengths] if shared else lengths
    own = [shared, *(length - shared for length in lengths)] if shared else lengths
    positions = torch.cat([torch.arange(end - size, end) for end, size in zip(seen, own, strict=True)])
    return {
        "position_ids": positions[None],
        "cu_seq_lens_q": _cumulative(own),
        "cu_seq_lens_k": _cumulative(seen),
        "max_length_q": max(own),
        "max_length_k": max(seen),
    }


def _cumulative(lengths: list[int]) -> torch.Tensor:
    return torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
