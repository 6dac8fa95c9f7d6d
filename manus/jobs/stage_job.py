"""Trains stages and reward models, and makes the pairs that some stages learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from manus.files import write_atomically
from manus.jobs.job import Job
from manus.recipe.recipe import RewardModel, Stage

if TYPE_CHECKING:
    from manus.data.preparation.while_training import LiveRows
    from manus.models.loading.composition import Trained
    from manus.training.stage_job import StageJob


def order_of(job: Job, learned: Stage | RewardModel, data: Path, start: Sequence[Trained]) -> StageJob:
    """Return what a trainer needs to know of a stage or a reward model."""
    from manus.data.preparation.preparation import Preparation
    from manus.data.preparation.while_training import open_rows
    from manus.jobs.rows import reader_of
    from manus.models.tokenizer import load_tokenizer
    from manus.training.stage_job import StageJob

    recipe = job.plan.recipe

    def live() -> LiveRows:
        asked = Preparation(
            learned.sources,
            learned.data,
            reader_of(learned),
            learned.data_kind,
            load_tokenizer(job.base),
            recipe.path.parent,
            recipe.seed,
            data,
            job.work,
            job.layout,
        )
        return open_rows(asked, data)

    return StageJob(
        name=learned.name,
        settings=learned.training,
        base=job.base,
        base_name=job.plan.base.spec,
        start=start,
        data=data,
        max_length=learned.data.max_length,
        seed=recipe.seed,
        work=job.work,
        staging=job.staging,
        capability=learned.capability if isinstance(learned, Stage) else "",
        beside=recipe.path.parent,
        live=live if learned.data.prepare == "never" else None,
        failure_budget=learned.data.failure_budget,
    )


def draw(folder: Path) -> None:
    """Draw what a training logged in `metrics.jsonl`: `loss.svg`, in `charts/` what its method measured."""
    from manus.charts.drawing import loss_curve
    from manus.charts.metrics import metric_charts
    from manus.files import read_jsonl

    logged = list(read_jsonl(folder / "metrics.jsonl"))
    write_atomically(folder / "loss.svg", loss_curve(logged))
    for slug, chart in metric_charts(logged).items():
        write_atomically(folder / "charts" / f"{slug}.svg", chart)
