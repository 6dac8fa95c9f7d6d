"""Gives a base model its senses: encoders as folders, and the checkpoint that holds base, encoders and projectors."""

from __future__ import annotations

from typing import Any

from manus.errors import ModelError
from manus.jobs.job import Job
from manus.models.senses import SENSES, Sense


def build_encoder(job: Job) -> dict[str, Any]:
    """making an encoder that comes in no form of transformers', or is trained by the recipe"""
    from manus.models.encoders import materialise

    encoder = job.plan.encoders[sense_of(job.artifact.name)]
    return materialise(encoder, job.staging, job.plan.recipe.seed, job.work)


def build_assembled(job: Job) -> dict[str, Any]:
    """putting encoders and untrained projectors around the base model"""
    from manus.models.detect import detect
    from manus.models.encoders import is_embedded, reference
    from manus.models.omni.conversion import assemble

    stage = job.plan.recipe.adds_senses
    assert stage is not None and stage.senses is not None, "it is only planned where a stage adds senses"
    found = detect(job.text_base)
    if not found.language_model:
        raise ModelError(f"base_model {job.plan.base.spec!r} ({found.model_type}) is no language model; give one")
    encoders = job.plan.encoders
    folders = {sense: job.encoder(sense) for sense in encoders}
    references = {
        sense: reference(encoder, folders[sense])
        for sense, encoder in encoders.items()
        if not is_embedded(encoder, stage.senses.embed_encoders)
    }
    return assemble(job.text_base, job.staging, folders, stage.senses, references, job.plan.recipe.seed)


def sense_of(name: str) -> Sense:
    """Return the sense that an encoder's artifact is named by."""
    return next(sense for sense in SENSES if sense == name)
