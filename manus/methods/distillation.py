"""Knowledge distillation on stored answers and on the student's own (Agarwal et al. 2024, arXiv:2306.13649).

The student learns the teacher's whole distribution at every token, not only the token that was chosen. The
teacher is another model with the same tokenizer, or the model as an earlier stage of the recipe left it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PositiveFloat

from manus.settings.sampling import SamplingSettings
from manus.settings.words import Text
from manus.training.settings import AlignmentSettings, LearningRate
from manus.training.settings import result as result

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob

VERSION = 2
SAMPLE_KINDS = ("messages",)


class Settings(AlignmentSettings, SamplingSettings):
    """Settings of `method: distillation`; the adapter's fields count only where there is one."""

    learning_rate: LearningRate = Field(1e-4, description="Peak learning rate.")
    teacher: Text = Field(description="An earlier stage of the recipe, a hub id[@revision], or a folder.")
    on_policy_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="Share of batches on which the student answers itself; "
        "the others take the data's answers.",
    )
    beta: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="Divergence: 0 forward KL, 1 reverse KL, between them generalised Jensen-Shannon."
    )
    distillation_temperature: PositiveFloat = Field(
        1.0, description="Softness of both distributions in the loss."
    )


def train(job: StageJob) -> dict[str, Any]:
    """Train on the teacher's distributions."""
    from manus.training.trainers.distillation import train_distillation

    return train_distillation(job)
