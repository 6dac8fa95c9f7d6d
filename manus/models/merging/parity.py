"""Checks that merged weights compute what base and adapters computed. Knows nothing of tokenizers."""

# P positions that are compared, V vocabulary

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from manus.errors import ManusError
from manus.models.loading.adapters import absorbed

Prompt = (
    Sequence[int] | Mapping[str, Tensor]
)  # token ids, or all inputs of a model where there is more than text
Prompts = Sequence[Prompt]

POSITIONS_PER_PROMPT = 32  # the last ones: they see all earlier ones, and logits are large
STEP_TOLERANCE = 1e-4
TOLERANCES = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}


class ParityError(ManusError):
    """The merged model does not compute what base and adapters computed."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the logits of two models lie apart, over all compared positions of all prompts."""

    max_difference: float
    scale: float  # the largest absolute logit of the reference
    tolerance: float  # allowed difference relative to the scale
    prompts: int
    positions: int
    top1_agreement: float  # the share of positions where both rank the same token first

    @property
    def relative(self) -> float:
        """The largest difference relative to the scale."""
        return self.max_difference / self.scale if self.scale else self.max_difference

    @property
    def holds(self) -> bool:
        """Whether the difference is allowed; NaN never is."""
        return self.relative <= self.tolerance


@torch.no_grad()
def logits_of(model: PreTrainedModel | PeftModel, prompts: Prompts) -> list[Tensor]:
    """Return the last logits of each prompt as float32 [P, V].

    Args:
        prompts: token ids, or all inputs, of one prompt each, of any lengths; run one at a time, so padding
            plays no part.

    Raises:
        ValueError: there is no prompt, or an empty one.
    """
    if not prompts or not all(len(prompt) for prompt in prompts):
        raise ValueError("parity needs at least one prompt, and a token in each")
    kept = []
    for prompt in prompts:
        given = prompt if isinstance(prompt, Mapping) else {"input_ids": torch.tensor([list(prompt)])}
        inputs = {name: tensor.to(model.device) for name, tensor in given.items()}
        logits_PV = model(**inputs, use_cache=False).logits[0, -POSITIONS_PER_PROMPT:]
        kept.append(logits_PV.to("cpu", torch.float32, copy=True))
    return kept


def compared(reference: Sequence[Tensor], merged: Sequence[Tensor], tolerance: float) -> Parity:
    """Compare two models' logits [P, V], prompt by prompt."""
    pairs = list(zip(reference, merged, strict=True))
    differences = torch.stack([(ours_PV - theirs_PV).abs().max() for theirs_PV, ours_PV in pairs])
    same = sum(int((theirs_PV.argmax(-1) == ours_PV.argmax(-1)).sum()) for theirs_PV, ours_PV in pairs)
    positions = sum(len(theirs_PV) for theirs_PV, _ in pairs)
    return Parity(
        max_difference=float(differences.max()),
        scale=float(torch.stack([theirs_PV.abs().max() for theirs_PV, _ in pairs]).max()),
        tolerance=tolerance,
        prompts=len(pairs),
        positions=positions,
        top1_agreement=same / positions,
    )


def checked(what: str, reference: Sequence[Tensor], merged: Sequence[Tensor], tolerance: float) -> Parity:
    """Compare as `compared` does, and refuse a difference beyond the tolerance.

    Raises:
        ParityError: with all the numbers.
    """
    parity = compared(reference, merged, tolerance)
    if parity.holds:
        return parity
    raise ParityError(
        f"{what}: logits differ by {parity.max_difference:.3g} at a scale of {parity.scale:.3g}, that is "
        f"{parity.relative:.2g} relative where {tolerance:.2g} is allowed; {parity.top1_agreement:.1%} of "
        f"{parity.positions} positions in {parity.prompts} prompts rank the same token first"
    )


def absorbed_alike(
    active: PeftModel, name: str, prompts: Prompts
) -> tuple[PreTrainedModel, list[Tensor], float]:
    """Merge the active adapter into the weights and check, in memory, that nothing changed by it.

    Returns:
        The plain model, the logits [P, V] with the adapter beside the weights, and the relative difference.

    Raises:
        ParityError: the merge changed what the model computes.
    """
    reference = logits_of(active, prompts)
    model = absorbed(active)
    parity = checked(f"merging {name} into the weights", reference, logits_of(model, prompts), STEP_TOLERANCE)
    return model, reference, parity.relative
