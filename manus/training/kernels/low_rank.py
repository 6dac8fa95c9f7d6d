"""A linear map and its low-rank change in two fewer passes over the activations than PEFT's. Knows no model.

PEFT scales and adds the change to the map's output, which is four passes over tensors as large as that,
forward and backward. Here the product of the small matrices is accumulated into the output by the matrix
product itself.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig
from peft.tuners.lora import Linear
from torch.autograd.function import once_differentiable
from transformers import PreTrainedModel

# Shapes: N positions, D inputs, O outputs, R rank.


def accumulate(config: LoraConfig, model: PreTrainedModel) -> LoraConfig:
    """Let PEFT put `Accumulated` where it would put its plain linear layer; quantised layers stay PEFT's."""
    if getattr(model, "hf_quantizer", None) is None and not config.use_dora:
        config._register_custom_module({torch.nn.Linear: Accumulated})
    return config


class Accumulated(Linear):  # type: ignore[misc]
    """PEFT's layer with another way to compute the same; whatever is not plain LoRA is left to PEFT."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the layer's output for inputs [..., D]."""
        if args or kwargs or not self._is_plain():
            outputs: torch.Tensor = super().forward(x, *args, **kwargs)
            return outputs
        [name] = self.active_adapters
        base = self.get_base_layer()
        small_RD, large_OR = self.lora_A[name].weight, self.lora_B[name].weight * self.scaling[name]
        tensors = [x.reshape(-1, x.shape[-1]), base.weight, base.bias, small_RD, large_OR]
        kind = _arithmetic(x, base.weight)
        computed = [None if tensor is None else tensor.to(kind) for tensor in tensors]
        outputs_NO: torch.Tensor = _LowRank.apply(*computed)  # type: ignore[no-untyped-call]
        return outputs_NO.view(*x.shape[:-1], -1)

    def _is_plain(self) -> bool:
        """Tell whether there is one adapter, in use, frozen weights below it, and only its two matrices."""
        if self.disable_adapters or self.merged or len(self.active_adapters) != 1:
            return False
        [name] = self.active_adapters
        base = self.get_base_layer()
        return (
            name in self.lora_A
            and name not in self.lora_variant
            and type(base) is torch.nn.Linear
            and not base.weight.requires_grad
            and isinstance(self.lora_dropout[name], torch.nn.Identity)
            and self.lora_B[name].bias is None
        )


def _arithmetic(x: torch.Tensor, weight: torch.Tensor) -> torch.dtype:
    """Return the type to compute in: autocast's where it is on, else the frozen weights'."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype


class _LowRank(torch.autograd.Function):
    """x W' + b + (x A') B', with gradients for x, A and B."""

    @staticmethod
    def forward(
        ctx: Any,
        x_ND: torch.Tensor,
        weight_OD: torch.Tensor,
        bias_O: torch.Tensor | None,
        a_RD: torch.Tensor,
        b_OR: torch.Tensor,
    ) -> torch.Tensor:
        inner_NR = x_ND @ a_RD.T
        ctx.save_for_backward(x_ND, weight_OD, a_RD, b_OR, inner_NR)
        return F.linear(x_ND, weight_OD, bias_O).addmm_(inner_NR, b_OR.T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_NO: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x_ND, weight_OD, a_RD, b_OR, inner_NR = ctx.saved_tensors
        back_NR = gradient_NO @ b_OR
        x_gradient = None
        if ctx.needs_input_grad[0]:
            x_gradient = (gradient_NO @ weight_OD).addmm_(back_NR, a_RD)
        return x_gradient, None, None, back_NR.T @ x_ND, gradient_NO.T @ inner_NR
