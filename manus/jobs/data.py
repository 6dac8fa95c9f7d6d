"""Makes what trainings start from: what the base can do, its weights as safetensors, prepared samples."""

from __future__ import annotations

from typing import Any

from manus.errors import DataError
from manus.files import write_atomically
from manus.jobs.job import Job
from manus.jobs.rows import reader_of
from manus.recipe.recipe import CAPABILITIES, Stage


def build(job: Job) -> dict[str, Any]:
    """Prepare the data of a stage or reward model. Return what its manifest says was measured."""
    from manus.charts.drawing import LENGTHS_SVG, length_histogram
    from manus.data.preparation.choosing import prepare
    from manus.data.prepared.samples import read_held_out
    from manus.evaluation.probes import is_measurable
    from manus.models.tokenizer import load_tokenizer

    learned, recipe = job.learned, job.plan.recipe
    commits = [made_from.get("commit") for made_from in job.artifact.made_from["data"]]
    sources = [s.model_copy(update={"revision": c}) if c else s for s, c in zip(learned.sources, commits, strict=True)]
    # The layout for stages of text alone as well: no text of theirs may hold what stands for media.
    metrics = prepare(
        sources, learned.data, reader_of(learned), learned.data_kind, load_tokenizer(job.base), recipe.path.parent,
        recipe.seed, job.staging, job.work, job.layout,
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
