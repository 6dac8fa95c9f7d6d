"""Judges what a model said while it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manus.rewards.context import Context
from manus.rewards.judge import Judge

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob


def judging(job: StageJob) -> Judge:
    """Return the judge of a stage that learns from rewards, to be entered before anything is loaded."""
    from manus.guards.ranks import say
    from manus.guards.run import RUN
    from manus.models.loading.precision import device

    context = Context(job.capability, job.beside, job.reward_models, device())
    settings = job.settings
    return Judge(
        job.rewards,
        context,
        timeout_seconds=settings.reward_timeout_seconds,
        failure_budget=settings.reward_failure_budget,
        say=say,
        while_waiting=RUN.tell,
    )
