"""The loss of many tokens without their logits: the head on a few positions at a time. Knows no model family.

What a family does to its logits (Gemma 2 caps them softly, Cohere and Granite scale them) stands in its own
forward pass, behind the backbone. So the head of any family is that forward pass with a backbone that only
hands out hidden states. The gradients of a part are taken at once, while its logits are there: nothing is
computed twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable
from transformers import PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from manus.models.generation.inputs import on_device
from manus.training.kernels.attention import LARGEST_RELATIVE_DIFFERENCE, without_dropout
from manus.training.labels import IGNORED

# Shapes: B rows, T tokens of a row, N learned tokens, D hidden, V vocabulary.

LOGITS_AT_ONCE = 2**25  # 128 MB in 32 bits

Head = Callable[[torch.Tensor], torch.Tensor]  # hidden states [N, D] to logits [N, V]


def learn_by_parts(
    model: PreTrainedModel,
    sample: list[int],
    logits_at_once: int = LOGITS_AT_ONCE,
    media: Mapping[str, torch.Tensor] | None = None,
    logits_TV: torch.Tensor | None = None,
) -> bool:
    """Let the model's forward pass take `next_tokens` [B, T] and return only the loss summed over them.

    The proof is made on this very model: the loss of a `sample` (token ids) by parts must equal that of its
    logits, which are computed where they are not known. Otherwise the model is left as it was, and False says
    so. `media` are the inputs beside the sample's tokens. To be called before anything wraps the forward
    pass, and before an attention is chosen that asks for boundaries.
    """
    backbone = model.base_model
    if backbone is model or model.get_output_embeddings() is None or len(sample) < 2:
        return False
    before = model.forward

    @functools.wraps(type(model).forward)
    def forward(
        self: PreTrainedModel, *args: Any, next_tokens: torch.Tensor | None = None, **kwargs: Any
    ) -> Any:
        if next_tokens is None:
            return before(*args, **kwargs)
        kwargs.pop("labels", None)  # PEFT hands them on even where there are none
        found = backbone(*args, **kwargs)
        is_learned = next_tokens != IGNORED

        def head(hidden_ND: torch.Tensor) -> torch.Tensor:
            with _handing_out(backbone, replace(found, last_hidden_state=hidden_ND[None])):
                logits: torch.Tensor = before(input_ids=None, use_cache=False).logits[0]
            return logits

        hidden_ND, next_N = found.last_hidden_state[is_learned], next_tokens[is_learned]
        vocabulary = self.config.get_text_config().vocab_size
        return CausalLMOutput(
            loss=summed_loss(head, hidden_ND, next_N, _trained(self), vocabulary, logits_at_once)
        )

    model.forward = MethodType(forward, model)  # type: ignore[method-assign]
    if not _is_proven(model, sample, media or {}, logits_TV):
        model.forward = before  # type: ignore[method-assign]
        return False
    return True


def summed_loss(
    head: Head,
    hidden_ND: torch.Tensor,
    next_N: torch.Tensor,
    weights: list[torch.Tensor],
    vocabulary: int,
    logits_at_once: int,
) -> torch.Tensor:
    """Return the cross-entropy summed over N tokens.

    Args:
        head: from hidden states to logits; each position by itself.
        hidden_ND: hidden states before the learned tokens.
        next_N: the learned tokens.
        weights: what `head` uses and training changes.
        vocabulary: how many logits a position has.
        logits_at_once: how many numbers may be in memory together.
    """
    parts = -(-len(next_N) * vocabulary // logits_at_once) or 1
    size = -(-len(next_N) // parts) or 1
    loss: torch.Tensor = _SummedLoss.apply(  # type: ignore[no-untyped-call]
        head, hidden_ND, next_N, size, *weights
    )
    return loss


class _SummedLoss(torch.autograd.Function):
    """Cross-entropy in parts that are forgotten as soon as their gradients are known."""

    @staticmethod
    def forward(
        ctx: Any, head: Head, hidden_ND: torch.Tensor, next_N: torch.Tensor, size: int, *weights: torch.Tensor
    ) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float32, device=hidden_ND.device)
        gradients: list[torch.Tensor | None] = [torch.zeros_like(hidden_ND), *(None for _ in weights)]
        is_learning = any(ctx.needs_input_grad)
        for start in range(0, len(next_N), size):
            part, chosen = hidden_ND[start : start + size].detach(), next_N[start : start + size]
            with torch.set_grad_enabled(is_learning):
                part.requires_grad_(is_learning)
                loss = F.cross_entropy(head(part).float(), chosen, reduction="sum")
            total += loss.detach()
            if not is_learning:
                continue
            found, *others = torch.autograd.grad(loss, (part, *weights), allow_unused=True)
            gradients[0][start : start + size] = found  # type: ignore[index]
            for place, other in enumerate(others, 1):
                known = gradients[place]
                gradients[place] = other if known is None or other is None else known.add_(other)
        ctx.gradients = gradients
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[Any, ...]:
        hidden, *weights = (None if g is None else g.mul_(upstream) for g in ctx.gradients)
        del ctx.gradients
        return None, hidden, None, None, *weights


def _trained(model: PreTrainedModel) -> list[torch.Tensor]:
    """Return the trained weights behind the backbone; a tied head shares its weight with embeddings."""
    behind = [child for child in model.children() if child is not model.base_model]
    found = [
        p
        for module in (*behind, model.get_output_embeddings())
        for p in module.parameters()
        if p.requires_grad
    ]
    return list({id(parameter): parameter for parameter in found}.values())


@contextmanager
def _handing_out(backbone: torch.nn.Module, outputs: Any) -> Iterator[None]:
    """Let the backbone return these outputs, whatever it is asked."""
    before = backbone.__dict__.get("forward")
    backbone.forward = lambda *args, **kwargs: outputs
    try:
        yield
    finally:
        del backbone.forward
        if before is not None:
            backbone.forward = before


@torch.no_grad()
def _is_proven(
    model: PreTrainedModel,
    sample: list[int],
    media: Mapping[str, torch.Tensor],
    logits_TV: torch.Tensor | None,
) -> bool:
    """Tell whether the loss by parts is the loss of the logits; a model that cannot say fails."""
    ids_BT = torch.tensor([sample], device=model.device)
    next_BT = F.pad(ids_BT[:, 1:], (0, 1), value=IGNORED)
    inputs: dict[str, Any] = {
        "input_ids": ids_BT,
        "attention_mask": torch.ones_like(ids_BT),
        "use_cache": False,
    }
    inputs |= on_device(media, model)
    with without_dropout(model):
        try:
            by_parts = model(**inputs, next_tokens=next_BT).loss
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError):
            return False
        if logits_TV is None:
            logits_TV = model(**inputs).logits[0]
    expected = F.cross_entropy(logits_TV.float(), next_BT[0], ignore_index=IGNORED, reduction="sum")
    allowed = LARGEST_RELATIVE_DIFFERENCE.get(logits_TV.dtype, 1e-3) * expected.abs()
    return bool((by_parts - expected).abs() <= allowed)
