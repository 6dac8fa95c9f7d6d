"""Supervised fine-tuning of all weights on the assistant's turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from manus.training.settings import TrainingSettings

if TYPE_CHECKING:
    from manus.training.supervised import StageJob

VERSION = 1
SAMPLE_KINDS = ("messages",)


class Settings(TrainingSettings):
    """Settings of `method: sft`."""


def result(settings: Settings) -> Literal["adapter", "model"]:
    """Return what the stage's folder holds: full weights."""
    return "model"


def train(job: StageJob) -> dict[str, Any]:
    """Train every weight of the start model."""
    from manus.training.supervised import train_supervised

    return train_supervised(job, adapter="none")
