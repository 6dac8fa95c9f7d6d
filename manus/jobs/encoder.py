"""Makes an encoder, or the codec of speech, that nothing can load as it is."""

from __future__ import annotations

from typing import Any

from manus.jobs.job import Job


def build(job: Job) -> dict[str, Any]:
    """Make the encoder. Return what its manifest says was measured."""
    from manus.models.encoders.materialising import materialise

    made = {encoder.sense: encoder for encoder in job.plan.encoders.values()}
    if job.plan.voice is not None:
        made |= {job.plan.voice.codec.sense: job.plan.voice.codec}
    encoder = next(encoder for sense, encoder in made.items() if sense == job.artifact.name)
    return materialise(encoder, job.staging, job.plan.recipe.seed, job.work)
