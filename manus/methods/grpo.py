"""Group relative policy optimisation (GRPO, Shao et al. 2024, arXiv:2402.03300), by TRL.

The model gives several answers to each prompt; those with a reward above their group's mean become likelier.
The model that the stage started from is the reference: the adapter switched off, or a frozen copy where all
weights train.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from manus.rewards.settings import RewardedSettings
from manus.settings.sampling import SamplingSettings
from manus.training.settings import AlignmentSettings, Count, LearningRate
from manus.training.settings import result as result

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob

VERSION = 2
SAMPLE_KINDS = ("prompt",)


class Settings(AlignmentSettings, SamplingSettings, RewardedSettings):
    """Settings of `method: grpo`; the adapter's fields count only where there is one."""

    batch_size: Count = Field(8, description="Answers in one forward pass on one device.")
    learning_rate: LearningRate = Field(2e-5, description="Peak learning rate.")
    group_size: Annotated[int, Field(ge=2, le=1024)] = Field(8, description="Answers to each prompt.")
    kl_coefficient: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Weight of the divergence from the start model; 0 needs no reference."
    )
    clip: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="How far the policy may move on one answer."
    )
    clip_high: Annotated[float, Field(gt=0)] | None = Field(
        None, description="The same upwards (DAPO takes 0.28); none: as clip."
    )
    loss: Literal["grpo", "bnpo", "dr_grpo", "dapo"] = Field(
        "dapo", description="How tokens are averaged, by TRL's name."
    )
    scale_rewards: Literal["group", "batch", "none"] = Field(
        "group", description="Over what advantages are divided by the rewards' deviation."
    )
    iterations: Count = Field(1, description="Passes over the same answers.")
    updates_per_generation: Count = Field(1, description="Optimizer steps that share one round of answers.")
    ignore_unfinished: bool = Field(False, description="Learn nothing from answers that were cut off.")

    @model_validator(mode="after")
    def _has_whole_groups(self) -> Settings:
        answers = self.batch_size * self.gradient_accumulation * self.updates_per_generation
        if answers % self.group_size:
            raise ValueError(
                f"batch_size x gradient_accumulation x updates_per_generation ({answers}) must be a multiple "
                f"of group_size ({self.group_size}); set batch_size or group_size"
            )
        return self

    def rounds(self, prompts: int, devices: int) -> int:
        """Return how many rounds of answers one pass over the prompts has; what fills none is left out."""
        answers = self.batch_size * self.gradient_accumulation * self.updates_per_generation * devices
        return prompts // (answers // self.group_size)

    @property
    def updates_per_round(self) -> int:
        """Optimizer steps between two rounds of answers."""
        return self.updates_per_generation * self.iterations


def train(job: StageJob) -> dict[str, Any]:
    """Train on the rewards of the model's own answers."""
    from manus.training.rollouts.judging import judging
    from manus.training.trainers.grpo import train_grpo

    with judging(job) as judge:
        return train_grpo(job, judge)
