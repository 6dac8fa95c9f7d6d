"""Trains a reward model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from manus.guards import ranks
from manus.jobs.job import Job
from manus.jobs.stage_job import draw, order_of
from manus.models.loading.imports import import_libraries


def build(job: Job) -> dict[str, Any]:
    """Train a reward model. Return what its manifest says was measured."""
    import_libraries(with_trainer=True)
    from manus.training.trainers.reward_model import train_reward_model

    order = order_of(job, job.learned, job.folder(f"data/{job.artifact.name}"), ())
    metrics = train_reward_model(
        replace(order, base=job.text_base)
    )  # it reads answers, for which no sense is needed
    if ranks.is_first():
        draw(job.staging)
    return metrics
