"""Trains modules step by step under guards: signals, heat, rests, checkpoints. Knows no picture, no loss."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from manus.errors import ManusError
from manus.files import bytes_of
from manus.guards.checkpoint import (
    PREFIX,
    STAGING,
    Counters,
    checkpoints,
    newest_whole,
    remove_leftovers,
    remove_older,
    seal,
)
from manus.guards.clock import CLOCK
from manus.guards.progress import progress
from manus.guards.ranks import say
from manus.guards.run import RUN, Save, Work

STATE = "state.pt"
TOLD_EVERY_STEPS = 10
ADAM_COPIES = 3  # of every weight: itself and Adam's two averages
WARM_SHARE = 0.08
LAST_RATE = 0.02


class GuardedTraining:
    """A training whose loss at a step depends on step and weights only: it continues to the same bits."""

    def __init__(
        self, title: str, module: torch.nn.Module, learning_rate: float, total: int, work: Path
    ) -> None:
        self.title, self.module, self.learning_rate, self.total, self.work = (
            title,
            module,
            learning_rate,
            total,
            work,
        )
        self.optimizer = torch.optim.AdamW(
            module.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.02
        )
        self.step, self.loss = 0, 0.0

    def run(self, loss_at: Callable[[int], torch.Tensor]) -> None:
        """Train to the end, from the newest whole checkpoint if there is one.

        Raises:
            Interrupted: a signal came, and the state is saved.
            ManusError: the loss is not a finite number.
        """
        self._continue()
        RUN.watch_heat(())  # on the CPU, GPU or not: it is small, and so its bits are the same everywhere
        RUN.tell("training", total_steps=self.total)
        saved_at = CLOCK.now()
        with progress(f"train {self.title}", self.total, "steps") as advance:
            while self.step < self.total:
                self._train_one(loss_at(self.step))
                advance(self.step, f"loss {self.loss:.3f}")
                if self.step % TOLD_EVERY_STEPS == 0 or self.step == self.total:
                    RUN.step(self.step, self.total, loss=round(self.loss, 4))
                is_last = self.step == self.total
                save = None if is_last else Save(self._save, self._bytes_of_checkpoint, self.work)
                is_late = CLOCK.now() - saved_at > 60 * RUN.guards.checkpoint_every_minutes
                if save is not None and (is_late or self.step % RUN.guards.checkpoint_every_steps == 0):
                    RUN.save(save)
                    saved_at = CLOCK.now()
                RUN.cross(f"training {self.title}", self.step, Work(save), is_last)

    def _train_one(self, loss: torch.Tensor) -> None:
        self.loss = loss.item()
        if not math.isfinite(self.loss):
            raise ManusError(f"{self.title}: the loss is {self.loss} at step {self.step}; please report this")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * rate_at(self.step, self.total)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1

    def _continue(self) -> None:
        """Take back the state of an earlier process, where there is one."""
        found = newest_whole(self.work)
        remove_leftovers(self.work, found)
        if found is None:
            return
        say(f"continuing from {found.name}")
        state = torch.load(found / STATE, weights_only=True)
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(found.name.removeprefix(PREFIX))

    def _save(self) -> Path:
        staging, final = self.work / STAGING, self.work / f"{PREFIX}{self.step}"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        torch.save(
            {"module": self.module.state_dict(), "optimizer": self.optimizer.state_dict()}, staging / STATE
        )
        seal(staging, final, Counters(loss=self.loss))
        remove_older(self.work, RUN.guards.keep_checkpoints)
        return final

    def _bytes_of_checkpoint(self) -> int:
        earlier = checkpoints(self.work)
        if earlier:
            return bytes_of(earlier[0])
        return ADAM_COPIES * sum(p.numel() * p.element_size() for p in self.module.parameters())


def rate_at(step: int, total: int) -> float:
    """Return the share of the learning rate at a step: it rises, then falls along a cosine."""
    warm = max(1, round(WARM_SHARE * total))
    if step < warm:
        return (step + 1) / warm
    return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
