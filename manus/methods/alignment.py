"""Alignment: what connects a language model to senses is trained, and the model itself stays frozen.

For senses in, these are the projectors between encoders and the model; for speech, the talker, which learns
to say what the model reads (`manus.training.trainers.talker`).

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
SAMPLE_KINDS = ("speech", "messages")
TAKES_MEDIA = True
NEEDS_SENSES = True


class Settings(TrainingSettings, PackingSettings, MediaSettings):
    """Settings of `method: alignment`."""

    adapter: ClassVar[Literal["projectors"]] = "projectors"
    epochs: Epochs = Field(1.0, description="How often the training samples are seen.")
    learning_rate: LearningRate = Field(1e-3, description="Peak learning rate.")


def train(job: StageJob) -> dict[str, Any]:
    """Train the projectors on captions and transcripts, or the talker on speech."""
    if job.voice is not None:
        from manus.training.trainers.talker import train_talker

        return train_talker(job)
    from manus.training.trainers.supervised import train_supervised

    return train_supervised(job)
