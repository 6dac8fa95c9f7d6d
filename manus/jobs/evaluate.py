"""Measures stages before and after, and the merged model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manus.files import write_json
from manus.guards.run import RUN
from manus.jobs.job import Job, stored_json
from manus.models.loading.imports import import_libraries
from manus.recipe.recipe import CAPABILITIES, Stage

if TYPE_CHECKING:
    from pathlib import Path

    from manus.evaluation.probes import Probe

EVALUATION = "evaluation.json"


def build(job: Job) -> dict[str, Any]:
    """Measure a stage before and after, or the merged model. Return what its manifest says was measured."""
    import_libraries()
    return evaluate_merged(job) if job.artifact.name == "merged" else evaluate_stage(job)


def probe_of(job: Job, stage: Stage) -> Probe:
    """Return the probe of a stage with its held-out samples."""
    return probe_on(job, stage, job.folder(f"data/{stage.name}"))


def probe_on(job: Job, stage: Stage, data: Path) -> Probe:
    """Return the probe of a stage with the held-out samples in a folder of prepared data."""
    from manus.data.media.files import has_media
    from manus.data.prepared.samples import read_held_out
    from manus.evaluation.probes import Probe

    media = None
    if has_media(data):
        from manus.models.senses.inputs import media_inputs

        media = media_inputs(job.base, data)
    capability = CAPABILITIES[stage.capability]
    return Probe(stage.name, capability, stage.probe, read_held_out(data), stage.data.max_length, media)


def evaluate_stage(job: Job) -> dict[str, Any]:
    """Measure a stage's probe on the model it started from and on what it made of it."""
    from manus.evaluation.ablations import ablated
    from manus.evaluation.probes import asked, gain, measure
    from manus.guards.memory import cuda_uuids
    from manus.models.loading.composition import compose
    from manus.models.loading.precision import device, held_dtype, precision_of
    from manus.models.tokenizer import load_tokenizer
    from manus.scorers.metrics import is_share

    stage, tokenizer = job.stage, load_tokenizer(job.base)
    probe, before = probe_of(job, stage), job.trained(job.plan.chain_before(stage.name))
    measured, dtype = {}, held_dtype(precision_of("auto"))
    RUN.watch_heat(cuda_uuids())
    for moment, chain in (("before", before), ("after", [*before, *job.trained([stage])])):
        model = compose(job.base, chain, dtype).to(device())
        measured[moment] = measure(probe, model, tokenizer, f"{stage.name} {moment}")
        cut_off = ablated(probe, model, tokenizer, measured[moment]) if moment == "after" else {}
        del model
    result = {
        "schema": 1,
        "key": job.artifact.key,
        "stage": stage.name,
        "capability": stage.capability,
        "method": stage.method,
        "metric": probe.metric,
        "higher_is_better": is_share(probe.metric),
        "samples": len(probe.usable),
        "asked": asked(probe.usable),
        **measured,
        "gain": gain(measured["before"], measured["after"]),
        **cut_off,
    }
    write_json(job.staging / EVALUATION, result)
    return {"metric": probe.metric, **{m: measured[m]["value"] for m in measured}, "gain": result["gain"]}


def evaluate_merged(job: Job) -> dict[str, Any]:
    """Measure every stage's probe on the merged model."""
    from manus.evaluation.probes import gain, measure
    from manus.guards.memory import cuda_uuids
    from manus.models.loading.composition import load_model
    from manus.models.loading.precision import device, held_dtype, precision_of
    from manus.models.tokenizer import load_tokenizer
    from manus.scorers.metrics import is_share

    folder, dtype = job.folder("merge/merged"), held_dtype(precision_of("auto"))
    model, tokenizer = load_model(folder, dtype).to(device()), load_tokenizer(folder)
    stages: dict[str, Any] = {}
    RUN.watch_heat(cuda_uuids())
    for stage in job.plan.recipe.stages:
        probe = probe_of(job, stage)
        merged = measure(probe, model, tokenizer, f"merged: {stage.name}")
        earlier = stored_json(job.plan, f"evaluate/{stage.name}")
        stages[stage.name] = {
            "metric": probe.metric,
            "higher_is_better": is_share(probe.metric),
            "merged": merged,
            "gain": gain(earlier["before"], merged),
        }
    write_json(job.staging / EVALUATION, {"schema": 1, "key": job.artifact.key, "stages": stages})
    return {
        name: {"value": result["merged"]["value"], "gain": result["gain"]} for name, result in stages.items()
    }
