"""Finds what a base model can take in and give out."""

from __future__ import annotations

from typing import Any

from manus.errors import ModelError
from manus.files import write_json
from manus.jobs.job import Job
from manus.models.base import local_folder
from manus.models.detection.fitness import why_no_base
from manus.models.senses.settings import MODALITIES_OF, config_blamed, config_of, kept, senses_of
from manus.recipe.recipe import CAPABILITIES


def build(job: Job) -> dict[str, Any]:
    """Find what the base can take in and give out, and refuse stages that need more.

    Returns what its manifest says was measured.
    """
    from manus.models.detection.detect import detect, modalities_missing

    found = detect(local_folder(job.plan.base))
    with config_blamed(job.plan.base):
        if (config := config_of(job.plan.base)) and (
            reason := why_no_base(config)
        ):  # of a hub model, known only now
            raise ModelError(f"base_model {job.plan.base.spec!r} {reason}")
    if job.plan.encoders and (own_encoders := kept(job.plan.base)):
        raise ModelError(f"{own_encoders}; remove the stage that adds senses, and those that need others")
    write_json(job.staging / "detected.json", {"key": job.artifact.key, **found.to_dict()})
    added = {modality for sense in job.plan.encoders for modality in MODALITIES_OF[sense]}
    added |= senses_of(job.plan.base) or set()
    for stage in job.plan.recipe.stages:
        needed = set(CAPABILITIES[stage.capability].MODALITIES) - added
        if missing := modalities_missing(found, sorted(needed)):
            raise ModelError(
                f"base_model {job.plan.base.spec!r} ({found.model_type}) lacks {', '.join(missing)}, "
                f"which stage {stage.name!r} needs; "
                "name a language model, and add senses to it by `- omni` above the stage"
            )
    return {"modalities": found.modalities}
