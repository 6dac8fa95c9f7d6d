"""Asks the recipe's gates what they say of the stored evaluations."""

from __future__ import annotations

from manus.evaluation.gates import Verdict, judge_all
from manus.jobs.job import stored_json
from manus.plan.artifacts import Plan


def verdicts(plan: Plan) -> list[Verdict]:
    """Return what the recipe's gates say of the stored evaluations."""
    if not plan.recipe.gates:
        return []
    stages = {stage.name: stored_json(plan, f"evaluate/{stage.name}") for stage in plan.recipe.stages}
    merged = {
        name: result["merged"] for name, result in stored_json(plan, "evaluate/merged")["stages"].items()
    }
    return judge_all(plan.recipe.gates, stages, merged)
