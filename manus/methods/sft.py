"""Supervised fine-tuning of all weights on the assistant's turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from manus.training.settings import AdapterKind, MediaSettings, PackingSettings, TrainingSettings
from manus.training.settings import result as result

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob

VERSION = 1
SAMPLE_KINDS = ("messages",)
TAKES_MEDIA = True


class Settings(TrainingSettings, PackingSettings, MediaSettings):
    """Settings of `method: sft`."""

    adapter: ClassVar[AdapterKind] = "none"


def train(job: StageJob) -> dict[str, Any]:
    """Train every weight of the start model."""
    from manus.training.trainers.supervised import train_supervised

    return train_supervised(job)
