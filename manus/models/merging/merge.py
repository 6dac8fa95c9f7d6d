"""Merges what a recipe's stages trained into one plain model folder, and checks that it computes the same.

The work is done in float32 and rounded once, to the type that the base is stored in. A stage's change is what
it trained minus its start: the base (`parallel`), or the base and all stages before (`sequential`). They are
combined

- by `sum`, sequential: stage after stage, exactly as training composed them;
- by `sum`, `linear`, `svd` of plain LoRA adapters: in PEFT's `add_weighted_adapter`, as `cat` for the first
  two (PEFT's own `linear` adds A's and B's apart, which leaves products of one stage's A with another's B);
- otherwise: by PEFT's merge functions on the changes of whole weights, where TIES and DARE define them
  (`add_weighted_adapter` prunes A and B apart, and what comes out depends on how the ranks happen to be
  ordered).

A single stage has nothing to be combined with: its change enters times its weight. Knows nothing of
tokenizers, gates or model cards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig
from torch import Tensor
from transformers import PreTrainedModel

from manus.errors import InputError
from manus.guards.run import RUN
from manus.models.loading.adapters import adapted, adapter_config, are_plain_lora, are_tied
from manus.models.loading.composition import Trained, chain, load_model, load_plain
from manus.models.loading.folders import stored_dtype, write_model
from manus.models.merging.deltas import with_changes, written_changes
from manus.models.merging.parity import TOLERANCES, Parity, Prompts, absorbed_alike, checked, logits_of
from manus.models.merging.settings import Combination, Combine, Compose, MergeSettings, chosen
from manus.models.senses.projectors import with_projectors


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What was merged how, and how near the written model is to base and adapters."""

    combine: Combine
    weights: dict[str, float]
    dtype: str  # of the written weights
    tied: bool  # whether input and output embeddings are one tensor
    step_difference: float  # relative, the largest when an adapter went into the weights, in memory
    parity: Parity  # of the model read back from disk


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged model in memory, with the logits [P, V] that it must have when it is read back."""

    model: PreTrainedModel
    reference: list[Tensor]
    step_difference: float


def merge(
    base: Path,
    trained: Sequence[Trained],
    compose: Compose,
    settings: MergeSettings,
    seed: int,
    prompts: Prompts,
    out: Path,
) -> MergeResult:
    """Merge stages into the base, write a plain model folder, and check it as read back from disk.

    Args:
        trained: the stages in the recipe's order.
        seed: for the random methods.
        prompts: token ids of the prompts whose logits are compared.
        out: a new or empty folder for the result; scratch files lie there meanwhile.

    Raises:
        InputError: the settings do not fit the stages.
        ModelError: a folder is broken or does not fit.
        ParityError: the merged model computes something else than base and adapters.
    """
    choice = chosen(settings, compose, [stage.name for stage in trained])
    stored = stored_dtype(base)
    out.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        merged = _merged(base, trained, compose, settings, choice, prompts, out)
    reference, step_difference, tied = merged.reference, merged.step_difference, are_tied(merged.model)
    write_model(merged.model, base, out, stored)
    RUN.cross("checking the merged model")
    del merged  # its memory is needed to read the result back
    again = logits_of(load_model(out, torch.float32), prompts)
    tolerance = settings.tolerance or TOLERANCES[stored]
    parity = checked("the merged model, read back", reference, again, tolerance)
    weights = dict(zip((stage.name for stage in trained), choice.weights, strict=True))
    dtype = str(stored).removeprefix("torch.")
    return MergeResult(choice.combine, weights, dtype, tied, step_difference, parity)


def _merged(
    base: Path,
    trained: Sequence[Trained],
    compose: Compose,
    settings: MergeSettings,
    choice: Combination,
    prompts: Prompts,
    out: Path,
) -> Merged:
    if not trained or (choice.combine == "sum" and (compose == "sequential" or len(trained) == 1)):
        return _in_sequence(base, trained, prompts)
    if len(trained) == 1:
        choice = Combination("linear", choice.weights)
    configs = [adapter_config(stage.path) for stage in trained if stage.kind == "adapter"]
    only_adapters = len(configs) == len(trained)
    rank = 0
    if choice.combine == "svd":
        rank = settings.svd_rank or _largest_rank(configs, only_adapters)
    if only_adapters and choice.combine in ("sum", "linear", "svd") and are_plain_lora(configs):
        return _as_adapter(base, trained, choice, rank, prompts)
    with tempfile.TemporaryDirectory(dir=out, prefix="changes-") as scratch:
        changes = written_changes(base, trained, compose, prompts, Path(scratch))
        model = with_changes(base, changes, choice, settings, rank)
    return Merged(model, logits_of(model, prompts), max(change.difference for change in changes))


def _largest_rank(configs: Sequence[PeftConfig], only_adapters: bool) -> int:
    if not only_adapters or not all(isinstance(config, LoraConfig) for config in configs):
        raise InputError(
            "merge: svd has no default rank where a stage trained whole weights; add svd_rank: 64"
        )
    return max(int(rank) for config in configs for rank in (config.r, *config.rank_pattern.values()))


def _in_sequence(base: Path, trained: Sequence[Trained], prompts: Prompts) -> Merged:
    """Merge adapter after adapter onto the last stage that trained all weights, or else the base."""
    start, stages = chain(base, trained)
    model, difference = load_plain(start, torch.float32), 0.0
    reference: list[Tensor] = []
    for stage in stages:
        RUN.cross(f"merging {stage.name}")
        if stage.kind == "talker":  # it changes no weight
            continue
        if stage.kind == "projectors":
            model, reference = with_projectors(model, stage.path), []
            continue
        active = adapted(model, stage.path)
        model, reference, step = absorbed_alike(active, stage.name, prompts)
        difference = max(difference, step)
    return Merged(model, reference or logits_of(model, prompts), difference)


def _as_adapter(
    base: Path, trained: Sequence[Trained], choice: Combination, rank: int, prompts: Prompts
) -> Merged:
    """Let PEFT combine plain LoRA adapters into one, and merge that."""
    names = [f"stage{index}" for index in range(len(trained))]  # a stage's own name may not fit a module's
    active = adapted(load_plain(base, torch.float32), trained[0].path, names[0])
    for name, stage in zip(names[1:], trained[1:], strict=True):
        active = adapted(active, stage.path, name)
    kind = "svd" if choice.combine == "svd" else "cat"
    active.base_model.add_weighted_adapter(
        names,
        list(choice.weights),
        "merged",
        combination_type=kind,
        svd_rank=rank or None,
        svd_full_matrices=False,
    )
    active.set_adapter("merged")
    model, reference, difference = absorbed_alike(active, "the combined adapter", prompts)
    return Merged(model, reference, difference)
