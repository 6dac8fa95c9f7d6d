"""Makes what trainings start from: what the base can do, its weights as safetensors, prepared samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.errors import DataError, ModelError
from manus.files import write_atomically, write_json
from manus.jobs.job import Job
from manus.models.base import local_folder
from manus.models.senses import MODALITIES_OF, kept, senses_of
from manus.recipe import CAPABILITIES, RewardModel, Stage

if TYPE_CHECKING:
    from manus.data.sample import Row, Sample, SampleKind


def build_detect(job: Job) -> dict[str, Any]:
    """finding out what the base model can take in and give out"""
    from manus.models.detect import detect, modalities_missing

    found = detect(local_folder(job.plan.base))
    if job.plan.encoders and (own_encoders := kept(job.plan.base)):
        raise ModelError(f"{own_encoders}; remove the stage that adds senses, and those that need others")
    write_json(job.staging / "detected.json", {"key": job.artifact.key, **found.to_dict()})
    added = {modality for sense in job.plan.encoders for modality in MODALITIES_OF[sense]}
    added |= senses_of(job.plan.base) or set()
    for stage in job.plan.recipe.stages:
        needed = set(CAPABILITIES[stage.capability].MODALITIES) - added
        if missing := modalities_missing(found, sorted(needed)):
            raise ModelError(
                f"base_model {job.plan.base.spec!r} ({found.model_type}) lacks {', '.join(missing)}, which stage "
                f"{stage.name!r} needs; name a language model, and add senses to it by `- omni` above the stage"
            )
    return {"modalities": found.modalities}


def build_base(job: Job) -> dict[str, Any]:
    """converting the base model to safetensors, once"""
    from manus.models.conversion import convert_gguf

    return convert_gguf(local_folder(job.plan.base), job.staging)


def build_data(job: Job) -> dict[str, Any]:
    """reading, splitting and tokenising the stage's data"""
    from manus.charts import LENGTHS_SVG, length_histogram
    from manus.data.on_the_fly import describe
    from manus.data.preparation import prepare
    from manus.data.prepared import read_held_out
    from manus.data.rendering import load_tokenizer
    from manus.evaluation.probes import is_measurable

    learned, recipe = job.learned, job.plan.recipe
    commits = [made_from.get("commit") for made_from in job.artifact.made_from["data"]]
    sources = [s.model_copy(update={"revision": c}) if c else s for s, c in zip(learned.sources, commits, strict=True)]
    read, tokenizer, beside = reader_of(learned), load_tokenizer(job.base), recipe.path.parent
    where = (job.staging, job.work / "quarantine.jsonl")
    layout = job.layout  # for stages of text alone as well: no text of theirs may hold what stands for media
    if learned.data.prepare == "never":
        metrics = describe(sources, learned.data, read, tokenizer, beside, recipe.seed, *where, layout)
    else:
        metrics = prepare(
            sources, learned.data, read, learned.data_kind, tokenizer, beside, recipe.seed, *where, layout
        )  # fmt: skip
    lengths = metrics["length_histogram"]
    write_atomically(
        job.staging / LENGTHS_SVG, length_histogram(lengths["edges"], lengths["samples"], learned.data.max_length)
    )
    if isinstance(learned, Stage) and not is_measurable(CAPABILITIES[learned.capability], read_held_out(job.staging)):
        raise DataError(
            f"stage {learned.name}: none of the {metrics['held_out_samples']} held-out samples has an answer that the "
            f"{learned.capability} probe can verify; its gain could not be measured"
        )
    return metrics


def reader_of(learned: Stage | RewardModel) -> Callable[[Row], Sample]:
    """Return how a row becomes a sample of the kind that is learned from; media are never dropped without a word."""
    from manus.data.forms import as_messages, as_text
    from manus.data.media.unread import minding_media
    from manus.data.preferences import read_pair
    from manus.data.prompts import read_prompt
    from manus.rewards.context import Context
    from manus.rewards.settings import cannot_score

    if isinstance(learned, RewardModel):
        return minding_media(lambda row: read_pair(row, as_messages), "preference")
    capability = CAPABILITIES[learned.capability]
    context = Context(learned.capability, Path())

    def can_score(sample: Sample) -> bool:
        rewards = learned.rewards
        return not cannot_score(rewards, sample, context) if rewards else bool(capability.can_score(sample))

    readers: dict[SampleKind, Callable[[Row], Sample]] = {
        "messages": capability.read,
        "text": as_text,
        "preference": lambda row: read_pair(row, capability.read),
        "prompt": lambda row: read_prompt(row, capability.read, can_score),
    }
    return minding_media(readers[learned.data_kind], learned.data_kind)
