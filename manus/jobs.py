"""What each kind of artifact is made by: one function a kind, from what its parents left in the store.

Knows the flow of a plan; knows nothing of when a job runs. Everything heavy is imported by the job that needs it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.errors import DataError, ModelError
from manus.evaluation.gates import Verdict, judge_all
from manus.files import write_atomically, write_json
from manus.guards import ranks
from manus.guards.run import RUN
from manus.models.base import local_folder
from manus.plan import Artifact, Plan
from manus.recipe import CAPABILITIES, METHODS, Stage

if TYPE_CHECKING:
    from manus.evaluation.probes import Probe
    from manus.models.composition import Trained

EVALUATION = "evaluation.json"
PARITY_PROMPTS = 8
PARITY_PROMPT_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Job:
    """One artifact being built: where to write, and where its parents lie."""

    plan: Plan
    artifact: Artifact
    work: Path
    staging: Path

    @property
    def stage(self) -> Stage:
        """The stage that the artifact belongs to."""
        return self.plan.stage(self.artifact.name)

    def folder(self, name: str) -> Path:
        """Return the stored folder of a finished artifact, verified."""
        key = self.plan.artifacts[name].key
        self.plan.store.manifest(key)
        return self.plan.store.folder(key)

    @property
    def base(self) -> Path:
        """The base model as a folder that transformers loads."""
        return self.folder("base/base") if self.plan.base.needs_conversion else local_folder(self.plan.base)

    def trained(self, stages: Iterable[Stage]) -> list[Trained]:
        """Return what stages trained, in order."""
        from manus.models.composition import Trained

        kinds = [(stage, METHODS[stage.method].result(stage.training)) for stage in stages]
        return [Trained(stage.name, kind, self.folder(f"train/{stage.name}") / kind) for stage, kind in kinds]


def build_detect(job: Job) -> dict[str, Any]:
    """finding out what the base model can take in and give out"""
    from manus.models.detect import detect, modalities_missing

    found = detect(local_folder(job.plan.base))
    write_json(job.staging / "detected.json", {"key": job.artifact.key, **found.to_dict()})
    for stage in job.plan.recipe.stages:
        missing = modalities_missing(found, CAPABILITIES[stage.capability].MODALITIES)
        if missing:
            raise ModelError(
                f"base_model {job.plan.base.spec!r} ({found.model_type}) lacks {', '.join(missing)}, which stage "
                f"{stage.name!r} needs; name a language model (the omni stage, which adds senses, is not built yet)"
            )
    return {"modalities": found.modalities}


def build_base(job: Job) -> dict[str, Any]:
    """converting the base model to safetensors, once"""
    from manus.models.conversion import convert_gguf

    return convert_gguf(local_folder(job.plan.base), job.staging)


def build_data(job: Job) -> dict[str, Any]:
    """reading, splitting and tokenising the stage's data"""
    from manus.data.forms import as_text
    from manus.data.preparation import prepare
    from manus.data.prepared import read_held_out
    from manus.data.rendering import load_tokenizer

    stage, recipe = job.stage, job.plan.recipe
    capability, is_chat = CAPABILITIES[stage.capability], stage.sample_kind == "messages"
    commits = [made_from.get("commit") for made_from in job.artifact.made_from["data"]]
    sources = [s.model_copy(update={"revision": c}) if c else s for s, c in zip(stage.sources, commits, strict=True)]
    metrics = prepare(
        sources, stage.data, capability.read if is_chat else as_text, load_tokenizer(job.base), recipe.path.parent,
        recipe.seed, job.staging, job.work / "quarantine.jsonl",
    )  # fmt: skip
    if is_chat and not any(capability.can_score(sample) for sample in read_held_out(job.staging)):
        raise DataError(
            f"stage {stage.name}: none of the {metrics['held_out_samples']} held-out samples has an answer that the "
            f"{stage.capability} probe can verify; its gain could not be measured"
        )
    return metrics


def build_train(job: Job) -> dict[str, Any]:
    """training the stage"""
    from manus.charts import loss_curve
    from manus.data.prepared import read_jsonl
    from manus.data.rendering import load_tokenizer
    from manus.metric_charts import metric_charts
    from manus.training.supervised import StageJob

    stage, recipe = job.stage, job.plan.recipe
    order = StageJob(
        name=stage.name, settings=stage.training, base=job.base, base_name=job.plan.base.spec,
        start=job.trained(job.plan.chain_before(stage.name)), data=job.folder(f"data/{stage.name}"),
        pad_token_id=load_tokenizer(job.base).pad_token_id, max_length=stage.data.max_length, seed=recipe.seed,
        work=job.work, staging=job.staging,
    )  # fmt: skip
    metrics: dict[str, Any] = METHODS[stage.method].train(order)
    if ranks.is_first():
        history = list(read_jsonl(job.staging / "metrics.jsonl"))
        write_atomically(job.staging / "loss.svg", loss_curve(history))
        for slug, svg in metric_charts(history).items():
            write_atomically(job.staging / "charts" / f"{slug}.svg", svg)
    return metrics


def build_evaluation(job: Job) -> dict[str, Any]:
    """asking the held-out questions"""
    return evaluate_merged(job) if job.artifact.name == "merged" else evaluate_stage(job)


def probe_of(job: Job, stage: Stage) -> Probe:
    """Return the probe of a stage with its held-out samples."""
    from manus.data.prepared import read_held_out
    from manus.evaluation.probes import Probe

    samples = read_held_out(job.folder(f"data/{stage.name}"))
    return Probe(stage.name, CAPABILITIES[stage.capability], stage.probe, samples, stage.data.max_length)


def evaluate_stage(job: Job) -> dict[str, Any]:
    """Measure a stage's probe on the model it started from and on what it made of it."""
    from manus.data.rendering import load_tokenizer
    from manus.evaluation.probes import PERPLEXITY, asked, gain, measure
    from manus.guards.memory import cuda_uuids
    from manus.models.composition import compose
    from manus.training.weights import device, held_dtype, precision_of

    stage, tokenizer = job.stage, load_tokenizer(job.base)
    probe, before = probe_of(job, stage), job.trained(job.plan.chain_before(stage.name))
    measured, dtype = {}, held_dtype(precision_of("auto"))
    RUN.watch_heat(cuda_uuids())
    for moment, chain in (("before", before), ("after", [*before, *job.trained([stage])])):
        model = compose(job.base, chain, dtype).to(device())
        measured[moment] = measure(probe, model, tokenizer, f"{stage.name} {moment}")
        del model
    result = {
        "schema": 1, "key": job.artifact.key, "stage": stage.name, "capability": stage.capability,
        "method": stage.method, "metric": probe.metric, "higher_is_better": probe.metric != PERPLEXITY,
        "samples": len(probe.usable), "asked": asked(probe.usable), **measured,
        "gain": gain(measured["before"], measured["after"]),
    }  # fmt: skip
    write_json(job.staging / EVALUATION, result)
    return {"metric": probe.metric, **{m: measured[m]["value"] for m in measured}, "gain": result["gain"]}


def evaluate_merged(job: Job) -> dict[str, Any]:
    """Measure every stage's probe on the merged model."""
    from manus.data.rendering import load_tokenizer
    from manus.evaluation.probes import PERPLEXITY, gain, measure
    from manus.guards.memory import cuda_uuids
    from manus.models.composition import load_model
    from manus.training.weights import device, held_dtype, precision_of

    folder, dtype = job.folder("merge/merged"), held_dtype(precision_of("auto"))
    model, tokenizer = load_model(folder, dtype).to(device()), load_tokenizer(folder)
    stages: dict[str, Any] = {}
    RUN.watch_heat(cuda_uuids())
    for stage in job.plan.recipe.stages:
        probe = probe_of(job, stage)
        merged = measure(probe, model, tokenizer, f"merged: {stage.name}")
        earlier = stored_json(job.plan, f"evaluate/{stage.name}")
        stages[stage.name] = {
            "metric": probe.metric, "higher_is_better": probe.metric != PERPLEXITY,
            "merged": merged, "gain": gain(earlier["before"], merged),
        }  # fmt: skip
    write_json(job.staging / EVALUATION, {"schema": 1, "key": job.artifact.key, "stages": stages})
    return {name: {"value": result["merged"]["value"], "gain": result["gain"]} for name, result in stages.items()}


def build_merge(job: Job) -> dict[str, Any]:
    """merging the stages into one model, and checking that it computes the same"""
    from manus.data.rendering import load_tokenizer, render_prompt
    from manus.lineage import model_card
    from manus.models.folders import copy_tokenizer
    from manus.models.merging import merge

    recipe, tokenizer = job.plan.recipe, load_tokenizer(job.base)
    samples = [sample for stage in recipe.stages for sample in probe_of(job, stage).samples[:PARITY_PROMPTS]]
    texts = [s["text"] if "text" in s else render_prompt(tokenizer, s["messages"][:-1]) for s in samples]
    prompts = [tokenizer(text, add_special_tokens=False)["input_ids"][:PARITY_PROMPT_TOKENS] for text in texts]
    trained = job.trained(recipe.stages)
    result = merge(job.base, trained, recipe.compose, recipe.merge, recipe.seed, prompts, job.staging)
    copy_tokenizer(job.base, job.staging)
    if not (job.staging / "chat_template.jinja").exists() and "chat_template" not in _tokenizer_config(job.staging):
        write_atomically(job.staging / "chat_template.jinja", str(tokenizer.chat_template))
    metrics = asdict(result)
    write_atomically(job.staging / "README.md", model_card(job.plan, metrics))
    return metrics


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return config


def build_report(job: Job) -> dict[str, Any]:
    """writing the report"""
    from manus.report import render

    write_atomically(job.staging / "report.html", render(job.plan, verdicts(job.plan)))
    return {}


def stored_json(plan: Plan, name: str) -> dict[str, Any]:
    """Return the JSON of a single-file artifact in the store."""
    artifact = plan.artifacts[name]
    assert artifact.file is not None, f"{name} is not a single file"
    value: dict[str, Any] = json.loads((plan.store.folder(artifact.key) / artifact.file).read_text(encoding="utf-8"))
    return value


def verdicts(plan: Plan) -> list[Verdict]:
    """Return what the recipe's gates say of the stored evaluations."""
    if not plan.recipe.gates:
        return []
    stages = {stage.name: stored_json(plan, f"evaluate/{stage.name}") for stage in plan.recipe.stages}
    merged = {name: result["merged"] for name, result in stored_json(plan, "evaluate/merged")["stages"].items()}
    return judge_all(plan.recipe.gates, stages, merged)


BUILDERS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "detect": build_detect,
    "base": build_base,
    "data": build_data,
    "train": build_train,
    "evaluate": build_evaluation,
    "merge": build_merge,
    "report": build_report,
}
