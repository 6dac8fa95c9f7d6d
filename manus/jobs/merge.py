"""Merges the stages into one model, and writes the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.files import write_atomically
from manus.jobs.evaluate import probe_of
from manus.jobs.job import Job

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from manus.evaluation.probes import Probe
    from manus.models.merging.parity import Prompt

PARITY_PROMPTS = 8
PARITY_PROMPT_TOKENS = 64


def build(job: Job) -> dict[str, Any]:
    """Merge the stages. Return what its manifest says was measured."""
    from manus.models.loading.folders import copy_tokenizer
    from manus.models.merging.merge import merge
    from manus.models.tokenizer import load_tokenizer
    from manus.report.model_card import model_card

    recipe, tokenizer = job.plan.recipe, load_tokenizer(job.base)
    prompts = [prompt for stage in recipe.stages for prompt in _parity_prompts(probe_of(job, stage), tokenizer)]
    trained = job.trained(recipe.stages)
    result = merge(job.base, trained, recipe.compose, recipe.merge, recipe.seed, prompts, job.staging)
    copy_tokenizer(job.base, job.staging)
    has_template = any(job.staging.glob("chat_template*")) or "chat_template" in _tokenizer_config(job.staging)
    if not has_template:
        write_atomically(job.staging / "chat_template.jinja", str(tokenizer.chat_template))
    metrics = asdict(result)
    write_atomically(job.staging / "README.md", model_card(job.plan, metrics))
    return metrics


def _parity_prompts(probe: Probe, tokenizer: PreTrainedTokenizerBase) -> Iterator[Prompt]:
    """Yield what both models are asked: beginnings of texts and questions; questions with media as they are."""
    from manus.evaluation.answers import prompt_of

    for sample in probe.samples[:PARITY_PROMPTS]:
        text = sample["text"] if "text" in sample else prompt_of(tokenizer, sample, probe.media)
        if probe.media is None:
            yield tokenizer(text, add_special_tokens=False)["input_ids"][:PARITY_PROMPT_TOKENS]
        else:
            yield probe.media.batch(tokenizer, [text], [sample.get("media", [])])


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return config
