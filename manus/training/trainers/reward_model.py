"""Trains a model to score answers as people prefer them, by TRL's RewardTrainer on our loop.

The loss is -log sigmoid(r(chosen) - r(rejected)) (Bradley and Terry 1952; Ouyang et al. 2022,
arXiv:2203.02155). The result is a plain sequence classifier with one label, its tokenizer beside it. Knows
nothing of who asks it later.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import torch
from peft import prepare_model_for_kbit_training
from transformers import AutoModelForSequenceClassification, set_seed
from trl import RewardConfig, RewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference

from manus.data.prepared.samples import read_held_out
from manus.data.sample import Pair, RowError
from manus.data.tokens.rendering import render_pair
from manus.guards import ranks
from manus.guards.progress import progress
from manus.guards.run import RUN
from manus.models.loaders import load_from
from manus.models.loading.adapters import adapted
from manus.models.loading.folders import copy_tokenizer, write_template
from manus.models.loading.precision import device, held_dtype, precision_of
from manus.training.job import arguments, conduct
from manus.training.loop import Guarded
from manus.training.stage_job import StageJob
from manus.training.trainers.preference import MeasuredPairTrainer, begin
from manus.training.weights import in_4_bits, keep_in_32_bits, of_trl

PAIRS_AT_ONCE = 8


class StageRewardTrainer(MeasuredPairTrainer, RewardTrainer):
    """RewardTrainer that takes tokenised pairs and continues exactly."""


def train_reward_model(job: StageJob) -> dict[str, Any]:
    """Train on pairs, leave `model/`, and return the metrics, with held-out accuracy before and after."""
    settings = job.settings
    pairs, total = begin(job)
    precision = precision_of(settings.precision)
    model = _classifier(job, settings.adapter, precision)
    before = accuracy(job, model, "before") if settings.adapter != "qlora" else None
    collate = DataCollatorForPreference(pad_token_id=job.tokenizer.pad_token_id)

    def build(callbacks: list[Any]) -> Guarded:
        trainer = StageRewardTrainer(
            model=model,
            args=arguments(
                job, precision, total, RewardConfig, max_length=None, disable_dropout=settings.dropout == 0
            ),
            data_collator=lambda rows: collate([_joined(row) for row in rows]),
            train_dataset=pairs,
            **of_trl(job, model, callbacks, "SEQ_CLS"),
        )
        keep_in_32_bits(trainer.model)
        return trainer

    metrics = conduct(job, total, build)
    if not ranks.is_first():
        return metrics
    finished = _finish(job)
    return {**metrics, "accuracy_before": before, "accuracy": accuracy(job, finished, "after")}


def _joined(row: dict[str, Any]) -> dict[str, list[int]]:
    return {f"{side}_ids": row["prompt_ids"] + row[f"{side}_ids"] for side in ("chosen", "rejected")}


def _classifier(job: StageJob, adapter: str, precision: Any) -> Any:
    """Return the base with an untrained head that gives one score.

    Raises:
        ModelError: this family has no such form.
    """
    set_seed(job.seed)
    dtype = torch.float32 if adapter == "none" else held_dtype(precision)
    quantised = (
        {"quantization_config": in_4_bits(dtype), "device_map": device()} if adapter == "qlora" else {}
    )
    failed = f"{job.name}: the base cannot become a reward model"
    loaded = {"num_labels": 1, "dtype": dtype, "use_safetensors": True, **quantised}
    model = load_from(AutoModelForSequenceClassification, job.base, failed, **loaded)
    model.config.pad_token_id = job.tokenizer.pad_token_id
    if adapter == "qlora":
        return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return model.to(device())


def _finish(job: StageJob) -> Any:
    """Merge an adapter into the base's full-precision weights, and put the tokenizer beside the model."""
    folder = job.staging / "model"
    if job.settings.adapter != "none":
        plain = _classifier(job, "none", "fp32")
        model = adapted(plain, job.staging / "adapter").merge_and_unload()
        model.save_pretrained(folder)
        shutil.rmtree(job.staging / "adapter")
    copy_tokenizer(job.base, folder)
    write_template(folder, job.tokenizer)
    failed = f"{job.name}: the finished reward model cannot be loaded"
    return load_from(AutoModelForSequenceClassification, folder, failed, use_safetensors=True).to(device())


def accuracy(job: StageJob, model: Any, moment: str) -> float:
    """Return the share of held-out pairs in which the better answer has the higher score."""
    pairs = _held_out_pairs(job)
    model.eval()
    better = 0
    with progress(f"{job.name} {moment}", len(pairs), "pairs") as advance:
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            RUN.cross(f"measuring {job.name}")
            part = pairs[start : start + PAIRS_AT_ONCE]
            chosen = _scores(model, [pair.prompt + pair.chosen for pair in part])
            rejected = _scores(model, [pair.prompt + pair.rejected for pair in part])
            better += int((chosen > rejected).sum())
            advance(start + len(part))
    model.train()
    return better / len(pairs) if pairs else 0.0


def _held_out_pairs(job: StageJob) -> list[Pair]:
    tokenizer, pairs = job.tokenizer, []
    for sample in read_held_out(job.data):
        try:
            pair = render_pair(tokenizer, sample)
        except RowError:
            continue  # the template renders both answers alike
        room = job.max_length - len(pair.prompt)
        if room >= max(len(pair.chosen), len(pair.rejected)):
            pairs.append(pair)
    return pairs


@torch.no_grad()
def _scores(model: Any, rows: Sequence[list[int]]) -> torch.Tensor:
    pad, longest = model.config.pad_token_id, max(map(len, rows))
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows], device=model.device)
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=model.device)
    scores: torch.Tensor = model(input_ids=ids, attention_mask=mask).logits[:, 0].float()
    return scores
