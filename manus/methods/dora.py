"""Weight-decomposed low-rank adapters (DoRA, Liu et al. 2024, arXiv:2402.09353), by PEFT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from manus.training.settings import AdapterKind, AdapterSettings, MediaSettings, PackingSettings
from manus.training.settings import result as result

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob

VERSION = 1
SAMPLE_KINDS = ("messages",)
TAKES_MEDIA = True


class Settings(AdapterSettings, PackingSettings, MediaSettings):
    """Settings of `method: dora`."""

    adapter: ClassVar[AdapterKind] = "dora"


def train(job: StageJob) -> dict[str, Any]:
    """Train an adapter with a separate magnitude on the frozen start model."""
    from manus.training.trainers.supervised import train_supervised

    return train_supervised(job)
