"""Odds ratio preference optimisation (ORPO, Hong et al. 2024, arXiv:2403.07691), by TRL.

Learns the better answer of a pair and pushes its odds above those of the worse one, in one loss without a
reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveFloat

from manus.training.settings import AlignmentSettings, LearningRate
from manus.training.settings import result as result

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob

VERSION = 1
SAMPLE_KINDS = ("preference",)


class Settings(AlignmentSettings):
    """Settings of `method: orpo`; the adapter's fields count only where there is one."""

    learning_rate: LearningRate = Field(1e-4, description="Peak learning rate.")
    beta: PositiveFloat = Field(
        0.1, description="Weight of the odds ratio beside the likelihood (lambda in the paper)."
    )


def train(job: StageJob) -> dict[str, Any]:
    """Train on pairs of answers."""
    from manus.training.trainers.preference import train_orpo

    return train_orpo(job)
