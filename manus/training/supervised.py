"""Trains one stage on prepared samples by next-token prediction: the sft family and cpt."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.data.prepared import PreparedSamples, write_jsonl
from manus.errors import DataError, ManusError
from manus.files import write_json
from manus.guards import ranks
from manus.guards.progress import progress
from manus.guards.run import RUN
from manus.training.settings import TrainingSettings

if TYPE_CHECKING:
    from manus.models.composition import Trained
    from manus.training.weights import Precision

LOGS_PER_RUN = 200
TOKENS_IN_PROOF = 32


@dataclass(frozen=True, slots=True)
class StageJob:
    """What a method needs to train one stage.

    `base` is the base model's folder, `base_name` what the recipe calls it; `start` are the earlier stages it builds on; `work` keeps checkpoints, `staging` takes the results.
    """

    name: str
    settings: Any
    base: Path
    base_name: str
    start: Sequence[Trained]
    data: Path
    pad_token_id: int
    max_length: int
    seed: int
    work: Path
    staging: Path


def train_supervised(job: StageJob) -> dict[str, Any]:
    """Train, save `adapter/` or `model/` and `metrics.jsonl` into the staging folder, return the metrics.

    Raises:
        Interrupted: a signal came; the state is saved in the work folder.
        ManusError: the loss is not a finite number.
    """
    from transformers import set_seed

    from manus.guards.memory import cuda_uuids
    from manus.training.attention import keep_samples_apart
    from manus.training.batches import FlatCollator, PaddedCollator, Rows
    from manus.training.loop import Reporter, StageTrainer
    from manus.training.weights import precision_of, trainable

    settings, adapter = job.settings, job.settings.adapter
    samples = PreparedSamples(job.data)
    if not len(samples):
        raise DataError(f"{job.name}: there are no training samples")
    set_seed(job.seed)
    precision = precision_of(settings.precision)
    model = trainable(job.base, job.start, adapter, settings, precision)
    inner = model if adapter == "none" else model.get_base_model()
    proof = [samples[index]["ids"][:TOKENS_IN_PROOF].tolist() for index in range(min(3, len(samples)))]
    is_flat = keep_samples_apart(inner, proof)
    if settings.packing and not is_flat:
        raise ManusError(f"{job.name}: packing: {type(inner).__name__} cannot keep samples apart; set packing: false")
    rows = Rows(samples, job.max_length if settings.packing else None)
    with progress(f"train {job.name}", total := total_steps(len(rows), settings), "steps") as advance:
        trainer = StageTrainer(
            model=model,
            args=arguments(job, precision, total),
            train_dataset=rows,
            data_collator=FlatCollator() if is_flat else PaddedCollator(job.pad_token_id),
            callbacks=[Reporter(advance)],
            title=job.name,
        )
        RUN.watch_heat(cuda_uuids())
        RUN.tell("training", total_steps=total)
        trainer.run()
        counted = trainer.counters
    history = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert history, "the last step is always logged"
    if ranks.is_first():
        save(model, job)
        write_jsonl(job.staging / "metrics.jsonl", history)
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {
        "steps": trainer.state.global_step,
        "first_loss": history[0]["loss"],
        "last_loss": history[-1]["loss"],
        "trained_parameters": parameters,
        "precision": precision,
        "ranks": ranks.world_size(),
        "is_padding_free": is_flat,
        "tokens_per_second": round(counted.tokens / counted.work_seconds, 1),
        "training_seconds": round(counted.work_seconds, 1),
    }


def save(model: Any, job: StageJob) -> None:
    """Write the weights into the staging folder; an adapter names its base as the recipe does, not by a path."""
    if job.settings.adapter == "none":
        model.save_pretrained(job.staging / "model")
        return
    folder = job.staging / "adapter"
    model.save_pretrained(folder)
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    write_json(folder / "adapter_config.json", {**config, "base_model_name_or_path": job.base_name})
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty template


def total_steps(rows: int, settings: TrainingSettings) -> int:
    """Return how many optimizer steps the epochs take, as Trainer counts them."""
    batches = -(-rows // (settings.batch_size * ranks.world_size()))
    per_epoch = max(1, -(-batches // settings.gradient_accumulation))
    return max(1, math.ceil(per_epoch * settings.epochs))


def arguments(job: StageJob, precision: Precision, total: int) -> Any:
    """Return the Trainer's arguments for a stage."""
    import torch
    from transformers import TrainingArguments

    settings: TrainingSettings = job.settings
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    chosen = TrainingArguments(
        output_dir=str(job.work),
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim=settings.optimizer,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
        ddp_backend="gloo" if ranks.world_size() > 1 and not torch.cuda.is_available() else None,
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if settings.gradient_checkpointing else None,
        seed=job.seed,
        logging_steps=max(1, total // LOGS_PER_RUN),
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    chosen._n_gpu = min(chosen.n_gpu, 1)  # one GPU: Trainer would else split flat rows over all that are visible
    return chosen
