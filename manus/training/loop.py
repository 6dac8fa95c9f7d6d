"""The one training loop: transformers' Trainer with our loss, our checkpoints and our ears for signals.

Knows nothing of methods: what is trained, and on what, is decided by those who call it.
"""

from __future__ import annotations

import inspect
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from manus.files import write_json
from manus.guards.checkpoint import PREFIX, newest_whole, remove_older, seal
from manus.guards.interrupt import STOP
from manus.guards.progress import Advance
from manus.guards.settings import GuardSettings
from manus.training.batches import IGNORED

# Shapes: B rows, T tokens of a row, K positions before a learned token, V vocabulary.


class StageTrainer(Trainer):
    """Trainer whose logits exist only where a label is, and whose checkpoints are whole or absent."""

    loss_is_scaled_for_ga = True
    model_accepts_loss_kwargs = True

    def __init__(self, *args: Any, keep_checkpoints: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Trainer sets these from the model's signature; the loss here is always a sum over counted labels.
        self.loss_is_scaled_for_ga = True
        self.model_accepts_loss_kwargs = True
        self.remove_callback(PrinterCallback)
        self.keep_checkpoints = keep_checkpoints
        self.tokens_seen = 0
        forward = self.accelerator.unwrap_model(self.model)
        forward = forward.get_base_model() if hasattr(forward, "get_base_model") else forward
        self.can_skip_logits = "logits_to_keep" in inspect.signature(forward.forward).parameters

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return cross-entropy summed over learned tokens, divided by their number in the optimizer step."""
        labels_BT = inputs.pop("labels")
        mask = inputs.get("attention_mask")
        self.tokens_seen += int(mask.sum()) if mask is not None else labels_BT.numel()
        next_BT = F.pad(labels_BT[:, 1:], (0, 1), value=IGNORED)
        if self.can_skip_logits:
            keep_K = (next_BT != IGNORED).any(0).nonzero().squeeze(1)
            inputs, next_BT = {**inputs, "logits_to_keep": keep_K}, next_BT[:, keep_K]
        outputs = model(**inputs, use_cache=False)
        logits_NV, next_N = outputs.logits.flatten(0, 1).float(), next_BT.flatten()
        total = F.cross_entropy(logits_NV, next_N, ignore_index=IGNORED, reduction="sum")
        count = num_items_in_batch if num_items_in_batch is not None else (next_N != IGNORED).sum()
        loss = total / count
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the number of real tokens seen since the start of this process."""
        super().log({**logs, "tokens": self.tokens_seen}, start_time)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save under a temporary name, seal, rename: a kill at any moment leaves the earlier ones valid."""
        run = Path(self.args.output_dir)
        staging = run / ".staging"
        shutil.rmtree(staging, ignore_errors=True)
        self._get_output_dir = lambda trial=None: str(staging)
        try:
            super()._save_checkpoint(model, trial)
        finally:
            del self._get_output_dir
        name = f"{PREFIX}{self.state.global_step}"
        seal(staging / name, run / name)
        shutil.rmtree(staging, ignore_errors=True)
        remove_older(run, self.keep_checkpoints)


class CheckpointGuard(TrainerCallback):
    """Saves every so many steps or minutes, and before stopping when a signal came."""

    def __init__(self, guards: GuardSettings) -> None:
        self.guards = guards
        self.saved_at = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Decide at the step boundary; a finished run needs no checkpoint."""
        is_due = state.global_step % self.guards.checkpoint_every_steps == 0
        is_late = time.monotonic() - self.saved_at > 60 * self.guards.checkpoint_every_minutes
        if STOP.is_set or ((is_due or is_late) and state.global_step < state.max_steps):
            control.should_save = True
            self.saved_at = time.monotonic()
        if STOP.is_set:
            control.should_training_stop = True
        return control


@dataclass
class Reporter(TrainerCallback):
    """Shows progress and keeps `status.json` true, at most once a second."""

    stage: str
    key: str
    status_file: Path
    advance: Advance
    written_at: float = 0.0
    first: tuple[float, int] | None = None

    def on_log(
        self, args: Any, state: TrainerState, control: Any, logs: dict[str, float] | None = None, **kw: Any
    ) -> None:
        """Pass the newest loss and speed on."""
        now, newest = time.monotonic(), logs or {}
        if "loss" not in newest:
            return
        tokens = int(newest["tokens"])
        self.first = self.first or (now, tokens)
        speed = (tokens - self.first[1]) / (now - self.first[0]) if now > self.first[0] else 0.0
        note = f"loss {newest['loss']:.3f}" + (f" · {speed:.0f} tokens/s" if speed else "")
        self.advance(state.global_step, note)
        if now - self.written_at >= 1 or state.global_step == state.max_steps:
            self.written_at = now
            write_status(
                self.status_file, self.stage, self.key, "training", step=state.global_step, total_steps=state.max_steps,
                epoch=round(state.epoch or 0, 3), loss=round(newest["loss"], 4), tokens_per_second=round(speed, 1),
            )  # fmt: skip


def write_status(file: Path, stage: str, key: str, state: str, **facts: Any) -> None:
    """Write `status.json` of a running stage."""
    import os
    import socket

    status = {"pid": os.getpid(), "host": socket.gethostname(), "stage": stage, "key": key, "state": state}
    write_json(file, {**status, **facts, "updated_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})


def resume_point(work: Path) -> str | None:
    """Return the newest whole checkpoint of a run, as Trainer takes it."""
    found = newest_whole(work)
    if found is not None:
        print(f"  continuing from {found.name}", flush=True)
    return str(found) if found else None
