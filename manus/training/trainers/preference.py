"""Trains one stage on pairs of answers: dpo and orpo, by TRL's trainers on our loop."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any

import torch
from datasets import Dataset
from transformers import set_seed
from trl import DPOConfig, DPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from manus.data.prepared.samples import PAIRS, read_arrow
from manus.errors import DataError
from manus.models.loading.precision import precision_of
from manus.training.job import arguments, batches_of, conduct, total_steps
from manus.training.kernels.fused_head import TOKENS_IN_PROOF, answer_by, own_heads
from manus.training.labels import IGNORED
from manus.training.loop import Guarded
from manus.training.stage_job import StageJob
from manus.training.weights import frozen, keep_in_32_bits, of_trl, start_model


class PairTrainer(Guarded):
    """What TRL's trainers of pairs need to be stoppable: their sums of metrics since the last log."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """Take the pairs as they are: the data stage has tokenised them."""
        return dataset


class MeasuredPairTrainer(PairTrainer):
    """The same for those trainers that keep their metrics as DPOTrainer and RewardTrainer do."""

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Count the tokens of both answers and return TRL's loss."""
        self.tokens_seen += int(inputs["attention_mask"].sum())
        return super().compute_loss(model, inputs, *args, **kwargs)

    def method_state(self) -> dict[str, Any]:
        """Return the metrics since the last log."""
        return {"metrics": dict(self._metrics["train"]), "tokens": self._total_train_tokens}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on summing where an earlier process stopped."""
        self._metrics["train"] = defaultdict(list, state["metrics"])
        self._total_train_tokens = state["tokens"]


class StageDPOTrainer(MeasuredPairTrainer, DPOTrainer):
    """DPOTrainer that takes tokenised pairs and continues exactly."""


class Prepared(torch.utils.data.Dataset[dict[str, Any]]):
    """Tokenised pairs for ORPOTrainer, which would map over a data set to tokenise it."""

    def __init__(self, pairs: Dataset) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return dict(self.pairs[index])

    def map(self, *args: Any, **kwargs: Any) -> Prepared:
        """Take the pairs as they are."""
        return self


class StageORPOTrainer(PairTrainer, ORPOTrainer):
    """ORPOTrainer that takes tokenised pairs and continues exactly."""

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Count the tokens of both answers and return TRL's loss."""
        self.tokens_seen += int(
            inputs["chosen_attention_mask"].sum() + inputs["rejected_attention_mask"].sum()
        )
        return super().compute_loss(model, inputs, *args, **kwargs)

    def method_state(self) -> dict[str, Any]:
        """Return the metrics since the last log."""
        return {"metrics": {name: list(values) for name, values in self._stored_metrics["train"].items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on summing where an earlier process stopped."""
        self._stored_metrics["train"] = defaultdict(list, state["metrics"])


def orpo_batch(pairs: list[dict[str, Any]], pad_token_id: int) -> dict[str, Any]:
    """Return a batch as ORPOTrainer takes it: each answer with its prompt, padded on the right."""
    batch: dict[str, Any] = {}
    for side in ("chosen", "rejected"):
        rows = [pair["prompt_ids"] + pair[f"{side}_ids"] for pair in pairs]
        shape = (len(rows), max(map(len, rows)))
        ids_BT, mask_BT = torch.full(shape, pad_token_id), torch.zeros(shape, dtype=torch.long)
        labels_BT = torch.full(shape, IGNORED)
        for index, (row, pair) in enumerate(zip(rows, pairs, strict=True)):
            ids_BT[index, : len(row)], mask_BT[index, : len(row)] = torch.tensor(row), 1
            start = len(pair["prompt_ids"])
            labels_BT[index, start : len(row)] = ids_BT[index, start : len(row)]
        batch |= {f"{side}_input_ids": ids_BT, f"{side}_attention_mask": mask_BT, f"{side}_labels": labels_BT}
    return batch


def pairs_of(job: StageJob) -> Dataset:
    """Return the stage's tokenised pairs.

    Raises:
        DataError: there are none.
    """
    pairs = read_arrow(job.data, PAIRS)
    if not len(pairs):
        raise DataError(f"{job.name}: there are no training pairs")
    return pairs


def train_dpo(job: StageJob) -> dict[str, Any]:
    """Train by DPO. The reference is the start model: the adapter switched off, or a frozen full copy."""
    settings = job.settings
    pairs, total = begin(job)
    precision = precision_of(settings.precision)
    model = start_model(job.base, job.start, settings.adapter, precision)
    reference = frozen(copy.deepcopy(model)) if settings.adapter == "none" else None
    heads = own_heads((pairs[0]["prompt_ids"] + pairs[0]["chosen_ids"])[-TOKENS_IN_PROOF:], model, reference)

    def build(callbacks: list[Any]) -> Guarded:
        trainer = StageDPOTrainer(
            model=model,
            ref_model=reference,
            args=arguments(
                job,
                precision,
                total,
                DPOConfig,
                beta=settings.beta,
                loss_type=[settings.loss],
                label_smoothing=settings.label_smoothing,
                max_length=None,
                disable_dropout=settings.dropout == 0,
            ),
            data_collator=DataCollatorForPreference(pad_token_id=job.tokenizer.pad_token_id, max_length=None),
            train_dataset=pairs,
            **of_trl(job, model, callbacks),
        )
        trainer.companions = [reference] if reference is not None else []
        answer_by(heads)
        keep_in_32_bits(trainer.model)
        return trainer

    return conduct(job, total, build)


def train_orpo(job: StageJob) -> dict[str, Any]:
    """Train by ORPO, which needs no reference."""
    settings = job.settings
    pairs, total = begin(job)
    precision = precision_of(settings.precision)
    model = start_model(job.base, job.start, settings.adapter, precision)
    pad_token_id = job.tokenizer.pad_token_id

    def build(callbacks: list[Any]) -> Guarded:
        trainer = StageORPOTrainer(
            model=model,
            args=arguments(
                job,
                precision,
                total,
                ORPOConfig,
                beta=settings.beta,
                max_length=job.max_length,
                disable_dropout=settings.dropout == 0,
            ),
            data_collator=lambda rows: orpo_batch(rows, pad_token_id),
            train_dataset=Prepared(pairs),
            **of_trl(job, model, callbacks),
        )
        keep_in_32_bits(trainer.model)
        return trainer

    return conduct(job, total, build)


def begin(job: StageJob) -> tuple[Dataset, int]:
    """Return the pairs and the number of steps; fix where all randomness starts."""
    pairs = pairs_of(job)
    set_seed(job.seed)
    return pairs, total_steps(batches_of(len(pairs), job.settings), job.settings)
