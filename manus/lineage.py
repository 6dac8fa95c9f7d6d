"""Writes the model card of a merged model: what it was made from. Knows nothing of how."""

from __future__ import annotations

from typing import Any

from manus.artifact import Manifest
from manus.environment import library_versions
from manus.plan import Plan


def model_card(plan: Plan, merge: dict[str, Any]) -> str:
    """Return a README in Markdown with the front matter that model hubs read."""
    recipe = plan.recipe
    lines = [
        "---",
        f"base_model: {plan.base.spec}",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        "tags: [manus]",
        "---",
        "",
        f"# {plan.base.title} with {', '.join(stage.name for stage in recipe.stages)}",
        "",
        f"Made by Manus from `{plan.base.spec}`"
        + (f" at commit `{plan.base.revision}`" if plan.base.revision else "")
        + f", composed {'one stage after another' if recipe.compose == 'sequential' else 'from parallel stages'}, "
        f"seed {recipe.seed}.",
        "",
        "| stage | capability | method | data | samples | key |",
        "|---|---|---|---|---|---|",
    ]
    for stage in recipe.stages:
        data = Manifest.read(plan.store.folder(plan.artifacts[f"data/{stage.name}"].key))
        samples = data.metrics["train_samples"] if data else "?"
        sources = "; ".join(_cell(source) for source in (data.metrics["sources"] if data else ()))
        key = plan.artifacts[f"train/{stage.name}"].key
        lines.append(f"| {stage.name} | {stage.capability} | {stage.method} | {sources} | {samples} | `{key}` |")
    lines += ["", *_measurements(plan), *_how_merged(merge), "", "Load it with plain transformers:", "", "```python"]
    lines += ["from transformers import AutoModelForCausalLM, AutoTokenizer", ""]
    lines += ['model = AutoModelForCausalLM.from_pretrained("merged")']
    lines += ['tokenizer = AutoTokenizer.from_pretrained("merged")', "```", "", "Versions: " + _versions(), ""]
    return "\n".join(lines)


def _measurements(plan: Plan) -> list[str]:
    """Return a table of each stage's probe, for the stages that have been evaluated by now."""
    rows = []
    for stage in plan.recipe.stages:
        evaluation = Manifest.read(plan.store.folder(plan.artifacts[f"evaluate/{stage.name}"].key))
        if evaluation is not None:
            m = evaluation.metrics
            rows.append(f"| {stage.name} | {m['metric']} | {m['before']:.3f} | {m['after']:.3f} |")
    head = ["Held-out measurements of each stage, before and after it:", "", "| stage | metric | before | after |"]
    return [*head, "|---|---|---|---|", *rows, ""] if rows else []


def _how_merged(merge: dict[str, Any]) -> list[str]:
    parity = merge["parity"]
    relative = parity["max_difference"] / parity["scale"]
    return [
        f"Merged by `{merge['combine']}`, stored as {merge['dtype']}. Its logits differ from base plus adapters by at "
        f"most {relative:.1e} of their scale over {parity['prompts']} prompts "
        f"(allowed: {parity['tolerance']:.0e}).",
    ]


def _versions() -> str:
    return ", ".join(f"{name} {version}" for name, version in library_versions().items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
