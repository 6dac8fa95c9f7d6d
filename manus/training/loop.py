"""The one training loop: what every method adds to transformers' Trainer, and the supervised ones' Trainer.

`Guarded` brings safe points, crash-safe checkpoints and exact continuation to any Trainer, TRL's included.
Knows nothing of methods: what is trained, and on what, is decided by those who call it.
"""

from __future__ import annotations

import inspect
import math
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil
import torch
import torch.nn.functional as F
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerState

from manus.errors import InputError, ManusError
from manus.files import bytes_of
from manus.guards import ranks
from manus.guards.checkpoint import (
    PREFIX,
    STAGING,
    Counters,
    checkpoints,
    counters_of,
    newest_whole,
    remove_leftovers,
    remove_older,
    seal,
)
from manus.guards.clock import CLOCK
from manus.guards.memory import Parked
from manus.guards.progress import Advance
from manus.guards.run import RUN, Save, Work
from manus.training.batches.beside import Beside
from manus.training.batches.order import ShuffledBatches, loader, skipping_at_once
from manus.training.batches.text import Rows, real_tokens
from manus.training.labels import IGNORED

# Shapes: B rows, T tokens of a row, K positions before a learned token, V vocabulary.

METHOD_STATE = "method_{}.pt"  # a file for each rank
ADAM_STATES = 3  # a weight and its two moments, where no earlier checkpoint tells the size


class Guarded(Trainer):
    """What makes a Trainer stoppable at any step: mix it in before the Trainer whose loss is wanted.

    A subclass counts `tokens_seen` in its loss, and overrides `method_state` and `restore` where it carries
    more from step to step than weights, optimizer, schedule and random states.
    """

    def __init__(self, *args: Any, title: str, **kwargs: Any) -> None:
        self.title = title
        self.tokens_seen = 0
        self.companions: list[torch.nn.Module] = []  # models beside the trained one: references, teachers
        super().__init__(*args, **kwargs)
        self.remove_callback(PrinterCallback)
        self.add_callback(Recall(self))
        self.add_callback(Untangled())
        self.before = Counters()
        self.began_at = self.saved_at = CLOCK.now()
        self.crossed_at = self.saved_step = 0

    def method_state(self) -> dict[str, Any]:
        """Return what else must survive a kill: tensors, numbers, texts, in dictionaries and lists."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `method_state` returned in an earlier process."""
        assert not state, "a method that has a state takes it back"

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the number of real tokens that all ranks have seen."""
        super().log({**logs, "tokens": ranks.summed([self.tokens_seen])[0]}, start_time)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write none: TRL's trainers would put one into every checkpoint."""

    @property
    def counters(self) -> Counters:
        """What the whole run has counted, over all its processes; all ranks must ask together."""
        losses = [entry["loss"] for entry in self.state.log_history[-1:] if "loss" in entry]
        seconds = self.before.work_seconds + CLOCK.now() - self.began_at
        unlogged = self.accelerator.reduce(self._tr_loss.clone(), "mean").item()
        check_loss(unlogged, self.state.global_step)
        return Counters(
            tokens=ranks.summed([self.tokens_seen])[0],
            work_seconds=seconds,
            loss=losses[0] if losses else None,
            unlogged_loss=unlogged,
            unlogged_steps=self.state.global_step - self._globalstep_last_logged,
            ranks=ranks.world_size(),
        )

    def run(self) -> None:
        """Train to the end, from the newest whole checkpoint if there is one.

        Raises:
            Interrupted: a signal came, and the state is saved.
            InputError: another number of ranks began this run.
        """
        run = Path(self.args.output_dir)
        found = newest_whole(run)
        if ranks.is_first():
            remove_leftovers(run, found)
        if found is not None:
            ranks.say(f"continuing from {found.name}")
            self.before = counters_of(found)
            if self.before.ranks != ranks.world_size():
                raise InputError(
                    f"{found} was saved by {self.before.ranks} rank(s), "
                    f"this run has {ranks.world_size()}: its steps hold other samples; "
                    f"run `manus stage` with --ranks {self.before.ranks}, or delete {found.parent}"
                )
            self.tokens_seen = self.before.tokens if ranks.is_first() else 0
            self.saved_step = int(found.name.removeprefix(PREFIX))
            self.restore(torch.load(found / METHOD_STATE.format(ranks.rank()), weights_only=True))
        self.began_at = self.saved_at = CLOCK.now()
        with skipping_at_once():
            self.train(resume_from_checkpoint=str(found) if found else None)

    def get_train_dataloader(self) -> Any:
        """Return Trainer's own loader, or, for large data, one whose order needs no memory."""
        rows = self.train_dataset
        if not (isinstance(rows, Rows) and rows.is_large):
            return super().get_train_dataloader()
        batches = ShuffledBatches(
            len(rows), self.args.per_device_train_batch_size, self.args.seed, ranks.rank(), ranks.world_size()
        )
        return loader(self.accelerator, rows, self.args, self.data_collator, batches, Beside())

    def get_batch_samples(self, epoch_iterator: Iterator[Any], *args: Any, **kwargs: Any) -> Any:
        """Fetch batches; a rank that cannot ends all of them."""
        return super().get_batch_samples(Agreed(epoch_iterator), *args, **kwargs)

    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        """Log, and pass the safe point: the optimizer has stepped, no gradient is left, the step counts."""
        super()._maybe_log_save_evaluate(*args, **kwargs)
        step = self.state.global_step
        if step == self.crossed_at:  # Trainer comes here once more at the end of an epoch
            return
        self.crossed_at = step
        # After the last step nothing is saved: Trainer would take one step more when it continues from there.
        is_last = step == self.state.max_steps
        save = None if is_last else Save(self.save, self.bytes_of_checkpoint, Path(self.args.output_dir))
        if save is not None and self._is_checkpoint_due(step):
            RUN.save(save)
            self.saved_at = CLOCK.now()
        parked = Parked(self.model, self.optimizer, self.companions)
        work = Work(save, parked.park, parked.unpark)
        RUN.cross(f"training {self.title} at step {step}", step, work, is_last)

    def _is_checkpoint_due(self, step: int) -> bool:
        """Tell whether it is time to save, by steps or by minutes; all ranks go by the first one's clock."""
        is_late = CLOCK.now() - self.saved_at > 60 * RUN.guards.checkpoint_every_minutes
        return (
            step % RUN.guards.checkpoint_every_steps == 0
            or ranks.summed([is_late and ranks.is_first()])[0] > 0
        )

    def bytes_of_checkpoint(self) -> int:
        """Return how much disk a checkpoint takes: as much as the last, or else by the trained weights."""
        earlier = checkpoints(Path(self.args.output_dir))
        if earlier:
            return bytes_of(earlier[0])
        trained = [p for p in self.model.parameters() if p.requires_grad]
        return ADAM_STATES * sum(int(p.numel()) * int(p.element_size()) for p in trained)

    def save(self) -> Path:
        """Save under a temporary name, seal, rename: a kill at any moment leaves the earlier ones valid."""
        run = Path(self.args.output_dir)
        if self.saved_step == self.state.global_step:
            return run / f"{PREFIX}{self.saved_step}"
        staging, final = run / STAGING, run / f"{PREFIX}{self.state.global_step}"
        if ranks.is_first():
            shutil.rmtree(staging, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._get_output_dir = lambda trial=None: str(staging)
        try:
            self._save_checkpoint(self.model, None)
            torch.save(self.method_state(), staging / final.name / METHOD_STATE.format(ranks.rank()))
            counters = self.counters
            self.accelerator.wait_for_everyone()
            if ranks.is_first():
                seal(staging / final.name, final, counters)
                remove_older(run, RUN.guards.keep_checkpoints)
        finally:
            del self._get_output_dir
            if ranks.is_first():
                shutil.rmtree(staging, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self.saved_step = self.state.global_step
        return final


class Agreed(Iterator[Any]):
    """Batches that all ranks get, or none: one may meet a row or medium that changed during training."""

    def __init__(self, batches: Iterator[Any]) -> None:
        self.batches = batches

    def __next__(self) -> Any:
        with ranks.failing_together():
            batch = next(self.batches, None)
        if batch is None:
            raise StopIteration
        return batch


class Measured(Guarded):
    """A guarded Trainer that logs the means of what its method measures between two logs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.measured: defaultdict[str, list[float]] = defaultdict(list)
        super().__init__(*args, **kwargs)

    def measure(self, name: str, value: float) -> None:
        """Note one value."""
        self.measured[name].append(value)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the means since the last log."""
        super().log({**logs, **{name: fmean(values) for name, values in self.measured.items()}}, start_time)
        self.measured.clear()

    def method_state(self) -> dict[str, Any]:
        """Return what was measured since the last log."""
        return {"measured": dict(self.measured)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on measuring where an earlier process stopped."""
        self.measured = defaultdict(list, state["measured"])


class StageTrainer(Guarded):
    """Next-token prediction whose logits exist only where a label is, and, `by_parts`, never all at once."""

    def __init__(self, *args: Any, by_parts: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_parts = by_parts
        # Trainer sets these from the model's signature; the loss here is always a sum over counted labels.
        self.loss_is_scaled_for_ga = True
        self.model_accepts_loss_kwargs = True
        forward = self.accelerator.unwrap_model(self.model)
        forward = forward.get_base_model() if hasattr(forward, "get_base_model") else forward
        self.can_skip_logits = "logits_to_keep" in inspect.signature(forward.forward).parameters

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return cross-entropy summed over learned tokens, divided by their number in the optimizer step."""
        labels_BT = inputs.pop("labels")
        self.tokens_seen += real_tokens(inputs)
        next_BT = F.pad(labels_BT[:, 1:], (0, 1), value=IGNORED)
        outputs, total = self._summed(model, inputs, next_BT)
        loss = total / (num_items_in_batch if num_items_in_batch is not None else (next_BT != IGNORED).sum())
        if self.args.world_size > 1 and num_items_in_batch is not None:
            loss = (
                loss * self.args.world_size
            )  # gradients are averaged over ranks, but divided by all their tokens
        return (loss, outputs) if return_outputs else loss

    def _summed(self, model: Any, inputs: dict[str, Any], next_BT: torch.Tensor) -> tuple[Any, torch.Tensor]:
        """Return the model's outputs and the cross-entropy summed over the learned tokens."""
        if self.by_parts:
            outputs = model(**inputs, next_tokens=next_BT, use_cache=False)
            return outputs, outputs.loss
        if self.can_skip_logits:
            keep_K = (next_BT != IGNORED).any(0).nonzero().squeeze(1)
            inputs, next_BT = {**inputs, "logits_to_keep": keep_K}, next_BT[:, keep_K]
        outputs = model(**inputs, use_cache=False)
        logits_NV, next_N = outputs.logits.flatten(0, 1).float(), next_BT.flatten()
        return outputs, F.cross_entropy(logits_NV, next_N, ignore_index=IGNORED, reduction="sum")


def check_loss(loss: float, step: int) -> None:
    """Stop a run that has diverged, before its state is saved over a good one.

    Raises:
        ManusError: the loss is not a finite number.
    """
    if not math.isfinite(loss):
        raise ManusError(f"the loss is {loss} at step {step}; lower learning_rate, or use precision: fp32")


class Recall(TrainerCallback):
    """Gives a continued run back the losses that were summed but not yet logged, so its log is the same."""

    def __init__(self, trainer: Guarded) -> None:
        self.trainer = trainer

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Trainer has just set both to nothing."""
        self.trainer._tr_loss += self.trainer.before.unlogged_loss
        self.trainer._globalstep_last_logged -= self.trainer.before.unlogged_steps


class Untangled(TrainerCallback):
    """Takes gradients off the embeddings' output, where transformers puts them when checkpointing is on.

    Only reentrant checkpointing needs them. With adapters, all layers below the lowest one would compute
    backward.
    """

    def on_train_begin(self, *args: Any, model: Any = None, **kwargs: Any) -> None:
        """Trainer has just switched checkpointing on."""
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        if hasattr(inner, "disable_input_require_grads"):  # a talker is none of transformers' models
            inner.disable_input_require_grads()


class Reporter(TrainerCallback):
    """Shows how the training goes, on the terminal and in the run's status."""

    def __init__(self, advance: Advance) -> None:
        self.advance = advance
        self.first: tuple[float, int] | None = None
        self.seconds_to_first_step: float | None = None

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """Say once how long the process has taken to get here."""
        if self.seconds_to_first_step is None:
            self.seconds_to_first_step = round(time.time() - psutil.Process().create_time(), 1)
            ranks.say(f"first step after {self.seconds_to_first_step} s")
            RUN.tell(seconds_to_first_step=self.seconds_to_first_step)

    def on_log(
        self, args: Any, state: TrainerState, control: Any, logs: dict[str, float] | None = None, **kw: Any
    ) -> None:
        """Pass the newest loss and speed on."""
        newest = logs or {}
        if "loss" not in newest:
            return
        check_loss(newest["loss"], state.global_step)
        now, tokens = CLOCK.now(), int(newest["tokens"])
        self.first = self.first or (now, tokens)
        speed = (tokens - self.first[1]) / (now - self.first[0]) if now > self.first[0] else 0.0
        note = f"loss {newest['loss']:.3f}" + (f" · {speed:.0f} tokens/s" if speed else "")
        self.advance(state.global_step, note)
        RUN.step(
            state.global_step,
            state.max_steps,
            epoch=round(state.epoch or 0, 3),
            loss=round(newest["loss"], 4),
            tokens_per_second=round(speed, 1),
        )
