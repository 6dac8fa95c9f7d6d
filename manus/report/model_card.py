"""Writes the model card of a merged model: what it was made from. Knows nothing of how."""

from __future__ import annotations

from typing import Any

from manus.models.encoders.finding import Encoder, is_embedded
from manus.models.senses.settings import MODALITIES_OF, kept, senses_of
from manus.plan.artifacts import Plan
from manus.store.environment import library_versions
from manus.store.manifest import Manifest

LOADED_AS_TEXT = """\
Load it with plain transformers:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("merged")
tokenizer = AutoTokenizer.from_pretrained("merged")
```
"""
LOADED_WITH_SENSES = """\
Load it with transformers, after `import manus`, which tells it of the model's class:

```python
import manus  # before the model is loaded
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained("merged")
processor = AutoProcessor.from_pretrained("merged")
```
"""
LOADED_WITH_OWN_SENSES = """\
Load it with plain transformers:

```python
from transformers import AutoModelForMultimodalLM, AutoProcessor

model = AutoModelForMultimodalLM.from_pretrained("merged")  # or AutoModelForImageTextToText, where it sees
processor = AutoProcessor.from_pretrained("merged")
```
"""


def model_card(plan: Plan, merge: dict[str, Any]) -> str:
    """Return a README in Markdown with the front matter that model hubs read."""
    recipe, senses = plan.recipe, senses_of_merged(plan)
    lines = [
        "---",
        f"base_model: {plan.base.spec}",
        "library_name: transformers",
        f"pipeline_tag: {pipeline_tag(senses)}",
        "tags: [manus]",
        "---",
        "",
        f"# {plan.base.title} with {', '.join(stage.name for stage in recipe.stages)}",
        "",
        f"Made by Manus from `{plan.base.spec}`"
        + (f" at commit `{plan.base.revision}`" if plan.base.revision else "")
        + ", composed "
        f"{'one stage after another' if recipe.compose == 'sequential' else 'from parallel stages'}, "
        f"seed {recipe.seed}.",
        "",
        *_senses(plan, senses),
        *_voice(plan),
        "| stage | capability | method | data | samples | key |",
        "|---|---|---|---|---|---|",
    ]
    for stage in recipe.stages:
        data = Manifest.read(plan.store.folder(plan.artifacts[f"data/{stage.name}"].key))
        samples = data.metrics["train_samples"] if data else "?"
        sources = "; ".join(_cell(source) for source in (data.metrics["sources"] if data else ()))
        key = plan.artifacts[f"train/{stage.name}"].key
        lines.append(
            f"| {stage.name} | {stage.capability} | {stage.method} | {sources} | {samples} | `{key}` |"
        )
    loaded = LOADED_WITH_OWN_SENSES if kept(plan.base) else LOADED_WITH_SENSES if senses else LOADED_AS_TEXT
    lines += ["", *_measurements(plan), *_how_merged(merge), "", loaded, "Versions: " + _versions(), ""]
    return "\n".join(lines)


def senses_of_merged(plan: Plan) -> set[str]:
    """Return what the merged model takes in beside text."""
    return (
        {modality for sense in plan.encoders for modality in MODALITIES_OF[sense]}
        or senses_of(plan.base)
        or set()
    )


def pipeline_tag(senses: set[str]) -> str:
    """Return under which task a hub lists a model that takes these in and answers in text."""
    if "vision" in senses:
        return "image-text-to-text"
    return "audio-text-to-text" if senses else "text-generation"


def _senses(plan: Plan, senses: set[str]) -> list[str]:
    """Return which encoders the model has and whose weights are in its folder; nothing of a text model."""
    if not senses:
        return []
    if not plan.encoders:
        return ["Its encoders are those of its base.", ""]
    stage = plan.recipe.adds_senses
    assert stage is not None and stage.senses is not None, "encoders are only there where a stage adds them"
    told = [described(encoder, stage.senses.embed_encoders) for encoder in plan.encoders.values()]
    return ["Encoders, which no stage trained:", "", *told, ""]


def _voice(plan: Plan) -> list[str]:
    """Return how the model speaks, if it does; transformers loads the rest of the folder without that."""
    if plan.voice is None:
        return []
    codec = plan.voice.codec
    stored = "in `speech/codec/`" if is_embedded(codec, None) else "referred to, not stored"
    return [
        f'It speaks: `manus say merged "..." -o said.wav`. The talker is in `speech/`, its codec (`{codec.spec}`) is '
        f"{stored}; what sounds like a person is made by a machine, and should be said to be.",
        "",
    ]


def described(encoder: Encoder, embed: bool | None) -> str:
    """Return a line about an encoder; `embed` is the recipe's `embed_encoders`."""
    commit = f" at commit `{encoder.revision}`" if encoder.revision else ""
    weights = (
        "in this folder" if is_embedded(encoder, embed) else "loaded from the hub with the model, and checked"
    )
    return f"- {encoder.sense}: `{encoder.spec}`{commit}; its weights are {weights}"


def _measurements(plan: Plan) -> list[str]:
    """Return a table of each stage's probe, for the stages that have been evaluated by now."""
    rows = []
    for stage in plan.recipe.stages:
        evaluation = Manifest.read(plan.store.folder(plan.artifacts[f"evaluate/{stage.name}"].key))
        if evaluation is not None:
            m = evaluation.metrics
            rows.append(f"| {stage.name} | {m['metric']} | {m['before']:.3f} | {m['after']:.3f} |")
    head = [
        "Held-out measurements of each stage, before and after it:",
        "",
        "| stage | metric | before | after |",
    ]
    return [*head, "|---|---|---|---|", *rows, ""] if rows else []


def _how_merged(merge: dict[str, Any]) -> list[str]:
    parity = merge["parity"]
    relative = parity["max_difference"] / parity["scale"]
    return [
        f"Merged by `{merge['combine']}`, stored as {merge['dtype']}. Its logits differ from base "
        f"plus adapters by at most {relative:.1e} of their scale over {parity['prompts']} prompts "
        f"(allowed: {parity['tolerance']:.0e}).",
    ]


def _versions() -> str:
    return ", ".join(f"{name} {version}" for name, version in library_versions().items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
