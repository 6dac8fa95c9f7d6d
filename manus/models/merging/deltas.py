"""Writes what each stage changed to scratch files, and adds a combination of it to the base.

For whatever PEFT cannot combine as adapters. Needs memory for three models, and disk for the changed
parameters of every stage, in float32; the combining itself goes parameter by parameter. Knows nothing of
recipes.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel

from manus.errors import ModelError
from manus.models.loading.adapters import adapted, are_tied, say_whether_tied, untie
from manus.models.loading.composition import Trained, load_plain
from manus.models.merging.combining import combined
from manus.models.merging.parity import Prompts, absorbed_alike
from manus.models.merging.settings import Combination, Compose, MergeSettings
from manus.models.senses.projectors import with_projectors


@dataclass(frozen=True, slots=True)
class Change:
    """What one stage changed: a file of trained minus original values by parameter name."""

    file: Path
    tied: bool  # whether the stage left input and output embeddings tied
    difference: float  # relative, between the adapter beside the weights and merged into them


def written_changes(
    base: Path, trained: Sequence[Trained], compose: Compose, prompts: Prompts, scratch: Path
) -> list[Change]:
    """Write each stage's change against its start: the base, or (sequential) the base and all before it.

    Raises:
        ModelError: a stage is broken or does not fit.
        ParityError: merging an adapter into the weights alters what it computes.
    """
    start, changes = load_plain(base, torch.float32), []
    for index, stage in enumerate(trained):
        if stage.kind == "model":
            end, difference = load_plain(stage.path, torch.float32), 0.0
        elif stage.kind == "talker":
            end, difference = start, 0.0
        elif stage.kind == "projectors":
            end, difference = with_projectors(copy.deepcopy(start), stage.path), 0.0
        else:
            active = adapted(copy.deepcopy(start), stage.path)
            end, _, difference = absorbed_alike(active, stage.name, prompts)
        file = scratch / f"{index}.safetensors"
        save_file(_changed(start, end, stage), file)
        changes.append(Change(file, are_tied(end), difference))
        if compose == "sequential":
            start = end
    return changes


def _changed(start: PreTrainedModel, end: PreTrainedModel, stage: Trained) -> dict[str, Tensor]:
    before = dict(start.named_parameters(remove_duplicate=False))
    after = dict(end.named_parameters(remove_duplicate=False))
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after or before[name].shape != after[name].shape:
            raise ModelError(
                f"stage {stage.name} has another architecture than its start: {name} differs; "
                "only compose: sequential with combine: sum can take it"
            )
    return {
        name: (after[name] - parameter).detach()
        for name, parameter in before.items()
        if not torch.equal(after[name], parameter)
    }


def with_changes(
    base: Path, changes: Sequence[Change], choice: Combination, settings: MergeSettings, rank: int
) -> PreTrainedModel:
    """Return the base plus the combination of all changes; chance comes from torch's global generator."""
    model = load_plain(base, torch.float32)
    if are_tied(model) and not all(change.tied for change in changes):
        untie(model)
        say_whether_tied(model)
    with ExitStack() as stack, torch.no_grad():
        files = [stack.enter_context(safe_open(change.file, framework="pt")) for change in changes]
        held = [set(file.keys()) for file in files]
        for name, parameter in model.named_parameters():
            touched = [index for index, names in enumerate(held) if name in names]
            if touched:
                tensors = [files[index].get_tensor(name) for index in touched]
                weights = [choice.weights[index] for index in touched]
                parameter.add_(combined(tensors, weights, choice.combine, settings, rank))
    return model
