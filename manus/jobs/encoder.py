"""Makes an encoder that nothing can load as it is."""

from __future__ import annotations

from typing import Any

from manus.jobs.job import Job
from manus.models.senses.settings import SENSES


def build(job: Job) -> dict[str, Any]:
    """Make the encoder. Return what its manifest says was measured."""
    from manus.models.encoders.materialising import materialise

    sense = next(sense for sense in SENSES if sense == job.artifact.name)
    return materialise(job.plan.encoders[sense], job.staging, job.plan.recipe.seed, job.work)
