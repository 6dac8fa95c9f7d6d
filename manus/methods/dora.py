"""Weight-decomposed low-rank adapters (DoRA, Liu et al. 2024, arXiv:2402.09353), by PEFT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from manus.training.settings import AdapterSettings

if TYPE_CHECKING:
    from manus.training.supervised import StageJob

VERSION = 1
SAMPLE_KINDS = ("messages",)


class Settings(AdapterSettings):
    """Settings of `method: dora`."""


def result(settings: Settings) -> Literal["adapter", "model"]:
    """Return what the stage's folder holds: a PEFT adapter."""
    return "adapter"


def train(job: StageJob) -> dict[str, Any]:
    """Train an adapter with a separate magnitude on the frozen start model."""
    from manus.training.supervised import train_supervised

    return train_supervised(job, adapter="dora")
