"""Trains stages and reward models, and makes the pairs that some stages learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.files import write_atomically
from manus.guards import ranks
from manus.jobs.job import Job
from manus.recipe import CAPABILITIES, METHODS, RewardModel, Stage
from manus.training.imports import import_peft

if TYPE_CHECKING:
    from manus.data.on_the_fly import LiveRows
    from manus.models.composition import Trained
    from manus.training.job import StageJob


def build_reward(job: Job) -> dict[str, Any]:
    """training a reward model, and trying it on held-out pairs"""
    import_peft()
    from manus.training.reward_model import train_reward_model

    order = order_of(job, job.learned, job.folder(f"data/{job.artifact.name}"), ())
    metrics = train_reward_model(replace(order, base=job.text_base))  # it reads answers, for which no sense is needed
    if ranks.is_first():
        draw(job.staging)
    return metrics


def build_pairs(job: Job) -> dict[str, Any]:
    """making pairs of the model's own answers"""
    from manus.training.on_policy import make_pairs

    stage = job.stage
    assert stage.on_policy is not None, "only such stages have pairs to make"
    order = order_of(job, stage, job.folder(f"data/{stage.name}"), job.trained(job.plan.chain_before(stage.name)))
    return make_pairs(order, stage.on_policy, CAPABILITIES[stage.capability])


def build_train(job: Job) -> dict[str, Any]:
    """training the stage"""
    import_peft()
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
    )
    metrics: dict[str, Any] = METHODS[stage.method].train(order)
    if ranks.is_first():
        draw(job.staging)
    return metrics


def order_of(job: Job, learned: Stage | RewardModel, data: Path, start: Sequence[Trained]) -> StageJob:
    """Return what a trainer needs to know of a stage or a reward model."""
    from manus.data.on_the_fly import open_rows
    from manus.data.rendering import load_tokenizer
    from manus.jobs.data import reader_of
    from manus.training.job import StageJob

    recipe = job.plan.recipe

    def live() -> LiveRows:
        read, tokenizer = reader_of(learned), load_tokenizer(job.base)
        return open_rows(
            learned.sources, learned.data, read, tokenizer, recipe.path.parent, recipe.seed, data, job.layout
        )  # fmt: skip

    return StageJob(
        name=learned.name, settings=learned.training, base=job.base, base_name=job.plan.base.spec, start=start,
        data=data, max_length=learned.data.max_length, seed=recipe.seed, work=job.work, staging=job.staging,
        capability=learned.capability if isinstance(learned, Stage) else "", beside=recipe.path.parent,
        live=live if learned.data.prepare == "never" else None, failure_budget=learned.data.failure_budget,
    )  # fmt: skip


def draw(folder: Path) -> None:
    """Draw what a training logged in `metrics.jsonl`: `loss.svg`, and in `charts/` what its method measured."""
    from manus.charts import loss_curve
    from manus.data.prepared import read_jsonl
    from manus.metric_charts import metric_charts

    logged = list(read_jsonl(folder / "metrics.jsonl"))
    write_atomically(folder / "loss.svg", loss_curve(logged))
    for slug, chart in metric_charts(logged).items():
        write_atomically(folder / "charts" / f"{slug}.svg", chart)
