"""Trains a stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from manus.guards import ranks
from manus.jobs.job import Job
from manus.jobs.stage_job import draw, order_of
from manus.models.loading.imports import import_libraries
from manus.recipe.recipe import METHODS


def build(job: Job) -> dict[str, Any]:
    """Train a stage. Return what its manifest says was measured."""
    import_libraries(with_trainer=True)
    stage = job.stage
    data = job.folder(f"{'pairs' if stage.on_policy else 'data'}/{stage.name}")
    order = order_of(job, stage, data, job.trained(job.plan.chain_before(stage.name)))
    teacher = getattr(stage.training, "teacher", None)
    made = {model.name for model in job.plan.recipe.reward_models}
    order = replace(
        order,
        rewards=stage.rewards,
        reward_models={name: job.folder(f"reward/{name}") / "model" for name in stage.models_asked & made},
        teacher=job.teacher(teacher) if teacher else None,
        voice=stage.voice,
        speech=job.folder(f"speech/{stage.name}") if stage.voice else Path(),
    )
    metrics: dict[str, Any] = METHODS[stage.method].train(order)
    if ranks.is_first():
        draw(job.staging)
    return metrics
