"""What every method does alike: take a stage's order, run a guarded Trainer on it, leave weights and metrics.

Knows nothing of losses.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from manus.errors import InputError
from manus.files import write_json, write_jsonl
from manus.guards import ranks
from manus.guards.progress import progress
from manus.guards.run import RUN
from manus.training.settings import TrainingSettings
from manus.training.stage_job import StageJob

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from manus.models.loading.precision import Precision
    from manus.training.loop import Guarded

LOGS_PER_RUN = 200
# What libraries log of their own running; it differs between two runs that compute the same.
NOT_OF_THE_TRAINING = ("step_time", "num_tokens", "total_flos", "profiling/")


def conduct(
    job: StageJob,
    total: int,
    build: Callable[[list[Any]], Guarded],
    save_as: Callable[[Any], None] | None = None,
) -> dict[str, Any]:
    """Train with the Trainer `build` makes of callbacks; save `adapter/` or `model/` and `metrics.jsonl`.

    What is neither, `save_as` saves.

    Returns:
        What every method can say of its training; a method adds its own.

    Raises:
        Interrupted: a signal came; the state is saved in the work folder.
        InputError: the Trainer refuses the settings.
        ManusError: the loss is not a finite number.
    """
    from manus.guards.memory import cuda_uuids
    from manus.training.loop import Reporter

    with progress(f"train {job.name}", total, "steps") as advance:
        try:
            reporter = Reporter(advance)
            trainer = build([reporter])
        except ValueError as error:
            raise InputError(f"{job.name}: {str(error).splitlines()[0]}") from error
        RUN.watch_heat(cuda_uuids())
        RUN.tell("training", total_steps=total)
        trainer.run()
        counted = trainer.counters
    history = [_of_the_training(entry) for entry in trainer.state.log_history if "loss" in entry]
    assert history, "the last step is always logged"
    if ranks.is_first():
        (save_as or partial(save, job=job))(trainer.model)
        write_jsonl(job.staging / "metrics.jsonl", history)
    return {
        "steps": trainer.state.global_step,
        "first_loss": history[0]["loss"],
        "last_loss": history[-1]["loss"],
        "trained_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "precision": precision_in(trainer.args),
        "gradient_checkpointing": trainer.args.activation_checkpointing,
        "seconds_to_first_step": reporter.seconds_to_first_step,
        "ranks": ranks.world_size(),
        "tokens_per_second": round(counted.tokens / counted.work_seconds, 1),
        "training_seconds": round(counted.work_seconds, 1),
    }


def _of_the_training(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if not name.startswith(NOT_OF_THE_TRAINING)}


def save(model: Any, job: StageJob) -> None:
    """Write the weights into the staging folder; an adapter names its base like the recipe, not by path."""
    if job.settings.adapter == "projectors":
        from manus.models.senses.projectors import save_projectors

        save_projectors(model, job.staging / "projectors")
        return
    if job.settings.adapter == "none":
        model.save_pretrained(job.staging / "model")
        return
    folder = job.staging / "adapter"
    model.save_pretrained(folder)
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    sets = {
        name
        for one in model.peft_config.values()
        for name, value in vars(one).items()
        if isinstance(value, set)
    }
    ordered = {name: sorted(value) if name in sets else value for name, value in config.items()}
    write_json(folder / "adapter_config.json", {**ordered, "base_model_name_or_path": job.base_name})
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty template


def batches_of(rows: int, settings: TrainingSettings) -> int:
    """Return how many batches of rows each rank sees in an epoch."""
    return -(-rows // (settings.batch_size * ranks.world_size()))


def total_steps(batches: int, settings: TrainingSettings) -> int:
    """Return how many optimizer steps the epochs take, of so many batches each, as Trainer counts them."""
    per_epoch = max(1, -(-batches // settings.gradient_accumulation))
    return max(1, math.ceil(per_epoch * settings.epochs))


def warmup_of(total: int, share: float) -> float:
    """Return the warmup as Trainer takes it: a share of the steps, or a number that leaves some to learn in.

    The first step of a warmup has a learning rate of 0.
    """
    return share if math.ceil(total * share) < total else total - 1


def precision_in(arguments: TrainingArguments) -> Precision:
    """Return the arithmetic that a Trainer was told to use."""
    return "bf16" if arguments.bf16 else "fp16" if arguments.fp16 else "fp32"


def kernels() -> dict[str, Any]:
    """Return the Trainer's arguments for Liger's kernels, where GPU and package are; the loss stays ours."""
    import torch
    from transformers.utils import is_liger_kernel_available

    if not torch.cuda.is_available() or not is_liger_kernel_available():
        return {}
    losses = {"fused_linear_cross_entropy": False, "cross_entropy": False}
    return {"use_liger_kernel": True, "liger_kernel_config": losses}


def arguments(
    job: StageJob,
    precision: Precision,
    total: int,
    kind: type[TrainingArguments] | None = None,
    by_parts: bool = False,
    **own: Any,
) -> Any:
    """Return the Trainer's arguments for a stage.

    Args:
        job: the stage.
        precision: the arithmetic.
        total: how many optimizer steps there are.
        kind: which TrainingArguments.
        by_parts: whether the logits are never there all at once.
        own: fields of this kind of arguments.
    """
    import torch
    from transformers import TrainingArguments
    from transformers.utils import is_torch_tf32_available

    from manus.training.activations import checkpointing

    settings: TrainingSettings = job.settings
    is_checkpointing = (
        own.pop("activation_checkpointing")
        if "activation_checkpointing" in own
        else checkpointing(job, precision, by_parts)
    )
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    common: dict[str, Any] = {
        "output_dir": str(job.work),
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.scheduler,
        "warmup_steps": warmup_of(total, settings.warmup),
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "optim": settings.optimizer,
        "bf16": precision == "bf16",
        "fp16": precision == "fp16",
        "tf32": True if is_torch_tf32_available() else None,  # what stays in 32 bits is multiplied in TF32
        "use_cpu": not torch.cuda.is_available(),
        "ddp_find_unused_parameters": False,
        "ddp_backend": "gloo" if ranks.world_size() > 1 and not torch.cuda.is_available() else None,
        "activation_checkpointing": is_checkpointing,
        "activation_checkpointing_kwargs": {"use_reentrant": False} if is_checkpointing else None,
        "seed": job.seed,
        "logging_steps": max(1, total // LOGS_PER_RUN),
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }
    chosen = (kind or TrainingArguments)(**{**common, **own})
    chosen._n_gpu = min(
        chosen.n_gpu, 1
    )  # one GPU: Trainer would else split flat rows over all that are visible
    return chosen
