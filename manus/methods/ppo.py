"""Proximal policy optimisation (PPO; Schulman et al. 2017, arXiv:1707.06347) as in RLHF (Ouyang et al. 2022).

The model answers prompts; a value head learns to foresee the rewards, and tokens that did better than
foreseen become likelier, in small steps and not far from the model that the stage started from. The equations
stand in `manus/training/trainers/policy_gradient.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PositiveFloat, model_validator

from manus.rewards.settings import RewardedSettings
from manus.settings.sampling import SamplingSettings
from manus.training.settings import AlignmentSettings, Count, LearningRate
from manus.training.settings import result as result

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob

VERSION = 2
SAMPLE_KINDS = ("prompt",)

Share = Annotated[float, Field(gt=0, le=1)]


class Settings(AlignmentSettings, SamplingSettings, RewardedSettings):
    """Settings of `method: ppo`; the adapter's fields count only where there is one."""

    batch_size: Count = Field(8, description="Answers in one forward pass.")
    learning_rate: LearningRate = Field(2e-5, description="Peak learning rate.")
    rollout_size: Count = Field(
        32, description="Answers in one round, between two of which the model is frozen."
    )
    passes: Count = Field(2, description="How often a round is learned from.")
    clip: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="How far the policy may move on one answer."
    )
    clip_value: PositiveFloat = Field(0.2, description="How far the value of a state may move in one round.")
    value_coefficient: Annotated[float, Field(ge=0)] = Field(0.1, description="Weight of the value loss.")
    value_learning_rate: LearningRate | None = Field(
        1e-3, description="Peak learning rate of the value head; none: as the policy's."
    )
    entropy_coefficient: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Weight of the reward for entropy."
    )
    gamma: Share = Field(1.0, description="What a reward is worth one token earlier.")
    gae_lambda: Share = Field(0.95, description="Between one-step (0) and whole-answer (1) advantages.")
    whiten_advantages: bool = Field(True, description="Give the advantages of a round mean 0 and variance 1.")
    kl_coefficient: Annotated[float, Field(ge=0)] = Field(
        0.05, description="Weight of the divergence from the start model, at the start if it adapts."
    )
    kl_target: PositiveFloat | None = Field(
        None,
        description="Divergence per answer in nats that the coefficient aims at; none: it stays as it is.",
    )
    kl_horizon: Count = Field(10_000, description="Answers over which the coefficient adapts.")
    unfinished_reward: float | None = Field(
        None, description="Reward of an answer that was cut off; none: whatever the verifiers say of it."
    )

    @model_validator(mode="after")
    def _has_whole_minibatches(self) -> Settings:
        if self.rollout_size % (self.batch_size * self.gradient_accumulation):
            raise ValueError(
                f"rollout_size ({self.rollout_size}) must be a multiple "
                f"of batch_size x gradient_accumulation ({self.batch_size * self.gradient_accumulation}); "
                "set rollout_size or batch_size"
            )
        return self

    @property
    def minibatches(self) -> int:
        """Forward passes in one pass over a round."""
        return self.rollout_size // self.batch_size


def train(job: StageJob) -> dict[str, Any]:
    """Train on the rewards of the model's own answers."""
    from manus.training.rollouts.judging import judging
    from manus.training.trainers.ppo import train_ppo

    with judging(job) as judge:
        return train_ppo(job, judge)
