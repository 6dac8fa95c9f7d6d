"""TRL's fused output head where it computes what the model's own forward pass does, else that pass itself.

TRL takes the hidden states of `base_model` and multiplies them by the head's weight, with the few changes of
logits that it knows. A family whose body has another name, or that changes its logits in another way, breaks
it, or learns from other probabilities than it answers with. So each model shows on a few tokens that both are
the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel
from trl.trainer.utils import FusedCausalLMOutput, add_fused_lm_head

from manus.training.kernels.attention import LARGEST_RELATIVE_DIFFERENCE, without_dropout
from manus.training.labels import IGNORED

# Shapes: B rows, T tokens of a row less one, V vocabulary.

TOKENS_IN_PROOF = 32
Forward = Callable[..., Any]
OwnHeads = list[tuple[PreTrainedModel, Forward]]


def own_heads(sample: list[int], model: PreTrainedModel, *others: PreTrainedModel | None) -> OwnHeads:
    """Return the forward passes TRL's fused head would not equal: none, or those of the model and its copies.

    To be called before TRL changes the models, which stay as they were. `sample` are token ids.
    """
    if _is_proven(model, sample):
        return []
    return [(one, one.forward) for one in (model, *others) if one is not None]


def answer_by(heads: OwnHeads, temperature: float = 1.0) -> None:
    """Let models with TRL's fused head answer as that would, but from logits of their own forward passes."""
    for model, own in heads:
        _answer_by(model, own, temperature)


def _is_proven(model: PreTrainedModel, sample: list[int]) -> bool:
    """Tell whether TRL's fused head gives the log-probabilities of the model's own logits."""
    own: Forward = model.forward
    was_set = "forward" in model.__dict__
    add_fused_lm_head(model)
    fused: Forward = model.forward
    del model.forward
    if was_set:
        model.forward = own  # type: ignore[method-assign]
    ids_BT = torch.tensor([sample], device=model.device)
    given: dict[str, Any] = {
        "input_ids": ids_BT,
        "attention_mask": torch.ones_like(ids_BT),
        **_router_logits(model),
    }
    with torch.no_grad(), without_dropout(model):
        expected = -F.cross_entropy(
            own(**given, use_cache=False).logits[0, :-1].float(), ids_BT[0, 1:], reduction="none"
        )
        try:
            found = fused(**given, labels=ids_BT, fused_lm_head=True).log_probs[0]
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
            return False
    allowed = LARGEST_RELATIVE_DIFFERENCE.get(model.dtype, 1e-3) * expected.abs().max()
    return found.shape == expected.shape and bool((found - expected).abs().max() <= allowed)


def _router_logits(model: PreTrainedModel) -> dict[str, bool]:
    """Return what TRL asks besides of a mixture of experts whose experts are balanced by a loss."""
    text = model.config.get_text_config()
    is_balanced = hasattr(text, "output_router_logits") and getattr(text, "router_aux_loss_coef", 0.0) != 0.0
    return {"output_router_logits": True} if is_balanced else {}


def _answer_by(model: PreTrainedModel, own: Forward, temperature: float) -> None:
    """Replace the fused head. The logits of a batch are in memory, as they are in the model's own loss."""

    @functools.wraps(type(model).forward)
    def forward(
        self: PreTrainedModel,
        *args: Any,
        fused_lm_head: bool = False,
        labels: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        if not fused_lm_head:
            return own(*args, **kwargs) if labels is None else own(*args, labels=labels, **kwargs)
        assert labels is not None, "TRL asks for the log-probabilities of labels"
        kwargs.pop("num_items_in_batch", None)
        found = own(*args, **{**kwargs, "use_cache": False})
        logits_BTV, next_BT = found.logits[:, :-1].float() / temperature, labels[:, 1:]
        mask_BT = next_BT != IGNORED
        log_probs_BTV = logits_BTV.log_softmax(-1)
        log_probs_BT = log_probs_BTV.gather(-1, next_BT.clamp(min=0)[..., None])[..., 0] * mask_BT
        with torch.no_grad():
            mean_BT = logits_BTV.mean(-1) * mask_BT
            is_top1_BT = (logits_BTV.argmax(-1) == next_BT) & mask_BT
        entropy_BT = -(log_probs_BTV.exp() * log_probs_BTV).sum(-1) * mask_BT
        return FusedCausalLMOutput(
            loss=-log_probs_BT.sum() / mask_BT.sum().clamp(min=1),
            log_probs=log_probs_BT,
            entropy=entropy_BT,
            mean_logits=mean_BT,
            is_top1=is_top1_BT,
            label_mask=mask_BT,
            aux_loss=_balance(found),
        )

    model.forward = MethodType(forward, model)  # type: ignore[method-assign]


def _balance(found: Any) -> torch.Tensor:
    """Return the loss that balances experts, 0 where a family computes none."""
    loss: torch.Tensor | None = getattr(found, "aux_loss", None)
    return found.logits.new_zeros(()) if loss is None else loss
