"""Alignment of projectors: what connects encoders to a language model is trained, both of them stay frozen.

The first stage of LLaVA (Liu et al. 2023, arXiv:2304.08485): next-token prediction of captions and
transcripts, by which the projectors learn to speak in the language model's own embeddings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from manus.training.settings import Epochs, LearningRate, MediaSettings, PackingSettings, TrainingSettings
from manus.training.settings import result as result

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob

VERSION = 1
SAMPLE_KINDS = ("messages",)
TAKES_MEDIA = True
NEEDS_SENSES = True


class Settings(TrainingSettings, PackingSettings, MediaSettings):
    """Settings of `method: alignment`."""

    adapter: ClassVar[Literal["projectors"]] = "projectors"
    epochs: Epochs = Field(1.0, description="How often the training samples are seen.")
    learning_rate: LearningRate = Field(1e-3, description="Peak learning rate.")


def train(job: StageJob) -> dict[str, Any]:
    """Train the projectors on captions and transcripts."""
    from manus.training.trainers.supervised import train_supervised

    return train_supervised(job)
