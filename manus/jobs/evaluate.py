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

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from manus.evaluation.probes import Probe
    from manus.evaluation.speech import Reading

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
    if has_media(data) and stage.voice is None:  # what is said is no input
        from manus.models.senses.inputs import media_inputs

        media = media_inputs(job.base, data)
    capability = CAPABILITIES[stage.capability]
    return Probe(stage.name, capability, stage.probe, read_held_out(data), stage.data.max_length, media)


def evaluate_stage(job: Job) -> dict[str, Any]:
    """Measure a stage's probe on the model it started from and on what it made of it."""
    from manus.evaluation.ablations import ablated
    from manus.evaluation.probes import measure
    from manus.guards.memory import cuda_uuids
    from manus.models.loading.composition import compose
    from manus.models.loading.precision import device, held_dtype, precision_of
    from manus.models.tokenizer import load_tokenizer

    stage, tokenizer = job.stage, load_tokenizer(job.base)
    if stage.voice is not None:
        return evaluate_speech(job, stage)
    probe, before = probe_of(job, stage), job.trained(job.plan.chain_before(stage.name))
    measured, dtype = {}, held_dtype(precision_of("auto"))
    RUN.watch_heat(cuda_uuids())
    for moment, chain in (("before", before), ("after", [*before, *job.trained([stage])])):
        model = compose(job.base, chain, dtype).to(device())
        measured[moment] = measure(probe, model, tokenizer, f"{stage.name} {moment}")
        cut_off = ablated(probe, model, tokenizer, measured[moment]) if moment == "after" else {}
        del model
    return _written(job, stage, probe, measured, cut_off)


def evaluate_speech(job: Job, stage: Stage) -> dict[str, Any]:
    """Measure what a stage made of the talker it started from, or of an untrained one."""
    from manus.evaluation.speech import Reading, measure_cut_off, measure_speech
    from manus.guards.memory import cuda_uuids
    from manus.models.loading.composition import compose, talker_of
    from manus.models.loading.precision import device, held_dtype, precision_of
    from manus.models.speech.codecs import load_codec
    from manus.models.speech.coded import CodedSpeech
    from manus.models.speech.recogniser import Recogniser
    from manus.models.speech.storing import StoredTalker, load_talker
    from manus.models.speech.voice import Voice
    from manus.models.tokenizer import load_tokenizer
    from manus.training.trainers.talker import drawn

    assert stage.voice is not None, "the stage learns from speech"
    RUN.watch_heat(cuda_uuids())
    probe, chain = probe_of(job, stage), job.trained(job.plan.chain_before(stage.name))
    trained = job.trained([stage])
    model = compose(job.base, chain, held_dtype(precision_of("auto"))).to(device()).eval()
    after = load_talker(trained[0].path)
    earlier = talker_of(chain)
    facts = CodedSpeech(job.folder(f"speech/{stage.name}")).facts
    text_size, seed = after.talker.config.text_size, job.plan.recipe.seed
    if earlier is None:
        before = drawn(stage.voice, facts, text_size, seed)
    else:
        before = StoredTalker(load_talker(earlier).talker, after.voices)
    codec, recogniser, tokenizer = (
        load_codec(job.codec),
        Recogniser.of(job.recogniser),
        load_tokenizer(job.base),
    )
    measured: dict[str, Any] = {}
    for moment, stored in (("before", before), ("after", after)):
        reading = Reading(Voice.made(model, tokenizer, stored, codec), recogniser)
        measured[moment] = measure_speech(probe, reading, f"{stage.name} {moment}")
    cut_off = {"ablations": measure_cut_off(probe, reading, measured["after"])}
    return _written(job, stage, probe, measured, cut_off)


def _written(
    job: Job, stage: Stage, probe: Probe, measured: dict[str, Any], cut_off: dict[str, Any]
) -> dict[str, Any]:
    """Write a stage's evaluation down. Return what its manifest says was measured."""
    from manus.evaluation.probes import asked, gain
    from manus.scorers.metrics import is_share

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


def reading_of(job: Job, folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Reading:
    """Return what has sentences said by a merged model and reads them back."""
    from manus.evaluation.speech import Reading
    from manus.models.speech.recogniser import Recogniser
    from manus.models.speech.voice import Voice

    return Reading(Voice.beside(folder, model, tokenizer), Recogniser.of(job.recogniser))


def evaluate_merged(job: Job) -> dict[str, Any]:
    """Measure every stage's probe on the merged model."""
    from manus.evaluation.probes import gain, measure
    from manus.evaluation.speech import measure_speech
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
        title = f"merged: {stage.name}"
        if stage.voice is not None:
            merged = measure_speech(probe, reading_of(job, folder, model, tokenizer), title)
        else:
            merged = measure(probe, model, tokenizer, title)
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
