"""Gives a base model its senses: encoders as folders, and the checkpoint of base, encoders and projectors."""

from __future__ import annotations

from typing import Any

from manus.errors import ModelError
from manus.jobs.job import Job
from manus.models.encoders.finding import is_embedded
from manus.models.loading.imports import import_libraries
from manus.models.omni.names import IN_CHECKPOINT
from manus.models.senses.settings import SENSES


def build(job: Job) -> dict[str, Any]:
    """Assemble base, encoders and projectors. Return what its manifest says was measured."""
    import_libraries()
    from manus.models.detection.detect import detect
    from manus.models.omni.conversion import assemble

    stage, encoders = job.plan.recipe.adds_senses, job.plan.encoders
    assert stage is not None and stage.senses is not None, "it is only planned where a stage adds senses"
    found = detect(job.text_base)
    if not found.language_model:
        raise ModelError(
            f"base_model {job.plan.base.spec!r} ({found.model_type}) is no language model; name one"
        )
    references = {
        IN_CHECKPOINT[sense]: {"hub": encoder.hub_id, "revision": encoder.revision}
        for sense, encoder in encoders.items()
        if not is_embedded(encoder, stage.senses.embed_encoders)
    }
    folders = {sense: job.encoder(sense) if sense in encoders else None for sense in SENSES}
    return assemble(
        job.text_base,
        job.staging,
        folders["vision"],
        folders["audio_input"],
        stage.senses,
        references,
        job.plan.recipe.seed,
    )
