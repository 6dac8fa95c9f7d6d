"""Continued pre-training: next-token prediction on plain text, packed, without a chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from manus.training.settings import ChosenAdapterSettings, Epochs, LearningRate, PackingSettings
from manus.training.settings import result as result

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob

VERSION = 1
SAMPLE_KINDS = ("text",)
DEFAULT_DATA = {"hub": "HuggingFaceFW/fineweb-edu", "subset": "sample-10BT", "split": "train"}


class Settings(ChosenAdapterSettings, PackingSettings):
    """Settings of `method: cpt`; the adapter's fields count only where there is one."""

    epochs: Epochs = Field(1.0, description="How often the training samples are seen.")
    learning_rate: LearningRate = Field(5e-5, description="Peak learning rate.")
    packing: bool = Field(
        True, description="Fill each row of the batch up to max_length with whole samples, kept apart."
    )


def train(job: StageJob) -> dict[str, Any]:
    """Train on the text of every window, all tokens supervised."""
    from manus.training.trainers.supervised import train_supervised

    return train_supervised(job)
