"""Reads from the store what a report shows of each reward model. Knows nothing of HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manus.data.settings import DataSettings
from manus.plan.artifacts import Plan
from manus.recipe.recipe import RewardModel
from manus.report.finished import Finished
from manus.report.stages import charts_of, sources_of
from manus.report.values import Setting, settings


@dataclass(frozen=True, slots=True)
class RewardModelView:
    """What a report shows of one reward model; `accuracy` is the share of held-out pairs it ranks right."""

    name: str
    sources: list[str]
    statistics: dict[str, Any]
    training: Finished
    accuracy_before: float | None
    accuracy: float | None
    settings: list[Setting]
    loss_svg: str
    charts: list[tuple[str, str]]
    asked_by: list[str]


def reward_model_views(plan: Plan, jobs: Mapping[str, Finished]) -> list[RewardModelView]:
    """Return what is shown of each reward model, in the recipe's order."""
    return [_view(plan, model, jobs) for model in plan.recipe.reward_models]


def _view(plan: Plan, model: RewardModel, jobs: Mapping[str, Finished]) -> RewardModelView:
    data, training = jobs[f"data/{model.name}"], jobs[f"reward/{model.name}"]
    metrics = training.manifest.metrics
    return RewardModelView(
        name=model.name,
        sources=sources_of(model, data),
        statistics=data.read("statistics.json"),
        training=training,
        accuracy_before=metrics["accuracy_before"],
        accuracy=metrics["accuracy"],
        settings=_settings(model),
        loss_svg=(training.folder / "loss.svg").read_text(encoding="utf-8"),
        charts=charts_of(training),
        asked_by=[stage.name for stage in plan.recipe.stages if model.name in stage.models_asked],
    )


def _settings(model: RewardModel) -> list[Setting]:
    """Return its settings by group; it makes no pairs itself, and its sources are shown by name."""
    own = [s for s in settings("training", model.training) if s.name not in DataSettings.model_fields]
    return [s for s in settings("data", model.data) if s.name not in ("data", "on_policy")] + own
