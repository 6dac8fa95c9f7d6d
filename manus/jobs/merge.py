"""Merges the stages into one model, and writes the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from manus.files import write_atomically
from manus.jobs.evaluate import probe_of
from manus.jobs.job import Job
from manus.models.loading.imports import import_libraries

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from manus.evaluation.probes import Probe
    from manus.models.loading.composition import Trained
    from manus.models.merging.parity import Prompt

PARITY_PROMPTS = 8
PARITY_PROMPT_TOKENS = 64


def build(job: Job) -> dict[str, Any]:
    """Merge the stages. Return what its manifest says was measured."""
    import_libraries()
    from manus.models.loading.folders import copy_tokenizer, write_ends, write_template
    from manus.models.merging.merge import merge
    from manus.models.tokenizer import load_tokenizer
    from manus.report.model_card import model_card

    recipe, tokenizer = job.plan.recipe, load_tokenizer(job.base)
    prompts = [
        prompt for stage in recipe.stages for prompt in _parity_prompts(probe_of(job, stage), tokenizer)
    ]
    trained = job.trained(recipe.stages)
    result = merge(job.base, trained, recipe.compose, recipe.merge, recipe.seed, prompts, job.staging)
    put_talker(job, trained)
    copy_tokenizer(job.base, job.staging)
    write_template(job.staging, tokenizer)
    write_ends(job.staging, tokenizer)
    metrics = asdict(result)
    write_atomically(job.staging / "README.md", model_card(job.plan, metrics))
    return metrics


def put_talker(job: Job, trained: Sequence[Trained]) -> None:
    """Put the last talker that stages trained beside the model, where one did."""
    from manus.models.encoders.finding import is_embedded
    from manus.models.loading.composition import talker_of
    from manus.models.speech.storing import put_speech

    talker = talker_of(trained)
    if talker is None:
        return
    codec = job.voice.codec
    is_copied = is_embedded(codec, None)
    reference = None if is_copied else {"hub": codec.hub_id, "revision": codec.revision}
    put_speech(talker, job.codec, reference, job.staging)


def _parity_prompts(probe: Probe, tokenizer: PreTrainedTokenizerBase) -> Iterator[Prompt]:
    """Yield what both models are asked: beginnings of texts and questions; those with media as they are."""
    from manus.evaluation.answers import prompt_of

    for sample in probe.samples[:PARITY_PROMPTS]:
        text = sample["text"] if "text" in sample else prompt_of(tokenizer, sample, probe.media)
        if probe.media is None:
            yield tokenizer(text, add_special_tokens=False)["input_ids"][:PARITY_PROMPT_TOKENS]
        else:
            yield probe.media.batch(tokenizer, [text], [sample.get("media", [])])
