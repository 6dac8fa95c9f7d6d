"""Makes the pairs of answers that some stages learn from."""

from __future__ import annotations

from typing import Any

from manus.jobs.job import Job
from manus.jobs.stage_job import order_of
from manus.models.loading.imports import import_libraries
from manus.recipe.recipe import CAPABILITIES


def build(job: Job) -> dict[str, Any]:
    """Make pairs of the model's own answers. Return what its manifest says was measured."""
    import_libraries()
    from manus.training.rollouts.on_policy import make_pairs

    stage = job.stage
    assert stage.on_policy is not None, "only such stages have pairs to make"
    order = order_of(
        job, stage, job.folder(f"data/{stage.name}"), job.trained(job.plan.chain_before(stage.name))
    )
    return make_pairs(order, stage.on_policy, CAPABILITIES[stage.capability])
