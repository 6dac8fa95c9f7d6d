"""Tries what the merged model does at run time: today, that it streams."""

from __future__ import annotations

from typing import Any

from manus.files import write_atomically, write_json
from manus.guards.run import RUN
from manus.jobs.job import Job
from manus.models.loading.imports import import_libraries

MEASUREMENT = "feature.json"
DRAWING = "arrivals.svg"


def build(job: Job) -> dict[str, Any]:
    """Measure one feature on the merged model. Return what its manifest says was measured."""
    import_libraries()
    from manus.charts.arrivals import arrivals_chart
    from manus.data.prepared.samples import read_held_out
    from manus.guards.memory import cuda_uuids
    from manus.serving.streaming.measuring import STREAMS, measured
    from manus.serving.streaming.questions import questions_of

    plan, feature = job.plan, job.plan.feature(job.artifact.name)
    held_out = {stage.name: read_held_out(job.folder(f"data/{stage.name}")) for stage in plan.recipe.stages}
    settings: Any = feature.probe
    RUN.watch_heat(cuda_uuids())
    asked = questions_of(held_out, max(settings.questions, *STREAMS))
    found, arrivals = measured(job.folder("merge/merged"), asked, settings, plan.recipe.seed)
    result = {
        "schema": 1,
        "key": job.artifact.key,
        "stage": feature.name,
        "capability": feature.capability,
        **found,
    }
    write_json(job.staging / MEASUREMENT, result)
    write_atomically(
        job.staging / DRAWING,
        arrivals_chart(
            {n: [[at - one.asked for at in one.pieces] for one in many] for n, many in arrivals.items()}
        ),
    )
    return {name: found[name] for name in ("is_equal", "loads")}
