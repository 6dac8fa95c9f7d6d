"""Merges the stages into one model, and writes the report."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from manus.files import write_atomically
from manus.jobs.job import Job
from manus.jobs.measuring import probe_of, verdicts

PARITY_PROMPTS = 8
PARITY_PROMPT_TOKENS = 64


def build_merge(job: Job) -> dict[str, Any]:
    """merging the stages into one model, and checking that it computes the same"""
    from manus.data.rendering import load_tokenizer, render_prompt
    from manus.lineage import model_card
    from manus.models.folders import copy_tokenizer
    from manus.models.merging import merge

    recipe, tokenizer = job.plan.recipe, load_tokenizer(job.base)
    samples = [sample for stage in recipe.stages for sample in probe_of(job, stage).samples[:PARITY_PROMPTS]]
    texts = [s["text"] if "text" in s else render_prompt(tokenizer, s["messages"][:-1]) for s in samples]
    prompts = [tokenizer(text, add_special_tokens=False)["input_ids"][:PARITY_PROMPT_TOKENS] for text in texts]
    trained = job.trained(recipe.stages)
    result = merge(job.base, trained, recipe.compose, recipe.merge, recipe.seed, prompts, job.staging)
    copy_tokenizer(job.base, job.staging)
    if not (job.staging / "chat_template.jinja").exists() and "chat_template" not in _tokenizer_config(job.staging):
        write_atomically(job.staging / "chat_template.jinja", str(tokenizer.chat_template))
    metrics = asdict(result)
    write_atomically(job.staging / "README.md", model_card(job.plan, metrics))
    return metrics


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return config


def build_report(job: Job) -> dict[str, Any]:
    """writing the report"""
    from manus.report import render

    write_atomically(job.staging / "report.html", render(job.plan, verdicts(job.plan)))
    return {}
