"""Direct preference optimisation (DPO, Rafailov et al. 2023, arXiv:2305.18290), by TRL.

Raises how much likelier the better answer of a pair is than the worse one, compared with the model that the
stage started from. That reference is the adapter switched off: no second model lies in memory unless all
weights train.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveFloat

from manus.training.settings import AlignmentSettings, LearningRate
from manus.training.settings import result as result

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob

VERSION = 1
SAMPLE_KINDS = ("preference",)


class Settings(AlignmentSettings):
    """Settings of `method: dpo`; the adapter's fields count only where there is one."""

    learning_rate: LearningRate = Field(5e-5, description="Peak learning rate.")
    beta: PositiveFloat = Field(0.1, description="How strongly the model is held to the one it started from.")
    loss: Literal["sigmoid", "hinge", "ipo", "robust"] = Field(
        "sigmoid", description="Loss on a pair, by TRL's name."
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.0, description="Share of pairs assumed to be the wrong way round."
    )


def train(job: StageJob) -> dict[str, Any]:
    """Train on pairs of answers."""
    from manus.training.trainers.preference import train_dpo

    return train_dpo(job)
