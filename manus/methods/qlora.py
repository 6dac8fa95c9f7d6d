"""Low-rank adapters on weights frozen in 4 bits (QLoRA, Dettmers et al. 2023, arXiv:2305.14314).

NF4 with double quantisation by bitsandbytes, which also runs on the CPU. Only training is in 4 bits: the
adapter is evaluated on, and merged into, the weights in full precision."""

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
    """Settings of `method: qlora`."""

    adapter: ClassVar[AdapterKind] = "qlora"


def train(job: StageJob) -> dict[str, Any]:
    """Train an adapter on the start model held in 4-bit NF4."""
    from manus.training.trainers.supervised import train_supervised

    return train_supervised(job)
