"""Asks the recipe's gates what they say of the stored evaluations."""

from __future__ import annotations

from manus.evaluation.gates import Verdict, judge_all, judge_streams
from manus.jobs.job import stored_json
from manus.plan.artifacts import Plan


def needed_by_gates(plan: Plan) -> list[str]:
    """Return the ids of what must be measured on the merged model before it may be shown."""
    merged = ["evaluate/merged"] if plan.recipe.gates else []
    return [*merged, *(f"feature/{feature.name}" for feature in plan.recipe.features)]


def verdicts(plan: Plan) -> list[Verdict]:
    """Return what the recipe's gates say of stored evaluations, and whether streams are as they must be."""
    found = []
    if plan.recipe.gates:
        stages = {stage.name: stored_json(plan, f"evaluate/{stage.name}") for stage in plan.recipe.stages}
        merged = {
            name: result["merged"] for name, result in stored_json(plan, "evaluate/merged")["stages"].items()
        }
        found = judge_all(plan.recipe.gates, stages, merged)
    for feature in plan.recipe.features:
        measured = stored_json(plan, f"feature/{feature.name}")
        found += judge_streams(feature.name, plan.recipe.gates.get(feature.name), measured)
    return found
