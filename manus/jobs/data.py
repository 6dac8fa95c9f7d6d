"""Makes what trainings start from: what the base can do, its weights as safetensors, prepared samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manus.errors import DataError
from manus.files import write_atomically
from manus.guards.ranks import say
from manus.jobs.evaluate import probe_on
from manus.jobs.job import Job
from manus.jobs.rows import reader_of
from manus.models.loading.imports import import_tokenizers
from manus.recipe.recipe import Stage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def build(job: Job) -> dict[str, Any]:
    """Prepare the data of a stage or reward model. Return what its manifest says was measured."""
    import_tokenizers()
    from manus.charts.drawing import LENGTHS_SVG, length_histogram
    from manus.data.preparation.choosing import prepare
    from manus.models.tokenizer import load_tokenizer

    learned, recipe = job.learned, job.plan.recipe
    commits = [made_from.get("commit") for made_from in job.artifact.made_from["data"]]
    sources = [
        s.model_copy(update={"revision": c}) if c else s
        for s, c in zip(learned.sources, commits, strict=True)
    ]
    tokenizer = load_tokenizer(job.base)
    # The layout for stages of text alone as well: no text of theirs may hold what stands for media.
    metrics = prepare(
        sources,
        learned.data,
        reader_of(learned),
        learned.data_kind,
        tokenizer,
        recipe.path.parent,
        recipe.seed,
        job.staging,
        job.work,
        job.layout,
    )
    lengths = metrics["length_histogram"]
    write_atomically(
        job.staging / LENGTHS_SVG,
        length_histogram(lengths["edges"], lengths["samples"], learned.data.max_length),
    )
    if isinstance(learned, Stage):
        check_measurable(job, learned, tokenizer)
    return metrics


def check_measurable(job: Job, stage: Stage, tokenizer: PreTrainedTokenizerBase) -> None:
    """See to it that what a stage learns can be measured on the samples that it holds out.

    Raises:
        DataError: it cannot.
    """
    from manus.evaluation.probes import has_answer_to_foresee, is_measurable
    from manus.evaluation.retrieval import is_retrieval

    probe = probe_on(job, stage, job.staging)
    count, needed = len(probe.samples), "has an answer that"
    if not is_measurable(probe.capability, probe.samples, has_answers=stage.data_kind == "messages"):
        if is_retrieval(probe.capability):
            needed = "has a medium and a caption among others of its kind and with other words, which"
        raise DataError(
            f"stage {stage.name}: none of the {count} held-out samples {needed} the {stage.capability} probe "
            "can verify; its gain could not be measured"
        )
    if probe.is_of_answers and probe.metric != probe.capability.METRIC:
        say(
            f"{stage.name}: no held-out answer can be verified; "
            "how well they are foreseen is measured instead"
        )
    if probe.is_of_answers and not has_answer_to_foresee(probe, tokenizer):
        raise DataError(
            f"stage {stage.name}: none of the {count} held-out answers stands within max_length "
            f"{stage.data.max_length} tokens; its gain could not be measured: raise max_length"
        )
