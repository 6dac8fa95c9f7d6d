"""Builds a plan and a store with made-up results, so that reports can be tried without training anything."""

from __future__ import annotations

import functools
import io
import json
import math
import random
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from manus.charts.arrivals import arrivals_chart
from manus.charts.drawing import LENGTHS_SVG, length_histogram, loss_curve
from manus.charts.metrics import metric_charts
from manus.data.generators import moving_scenes, scenes
from manus.data.media.store import MediaWriter
from manus.data.sample import PLACEHOLDERS
from manus.evaluation.gates import Verdict, judge_all, judge_streams
from manus.evaluation.intervals import paired_bootstrap, wilson
from manus.files import write_atomically, write_json, write_jsonl
from manus.jobs.job import stored_json
from manus.plan.artifacts import Artifact, Plan
from manus.plan.planner import make_plan
from manus.recipe.recipe import read_recipe
from manus.serving.streaming.equality import Said, comparison
from manus.serving.streaming.latency import Arrivals, summary
from manus.store.store import Made

HELD_OUT = 80
LENGTHS = {"edges": [50, 150, 250, 350, 450], "samples": [412, 501, 70, 17]}
LEVELS = ("2 steps", "3 steps", "4 steps")


@dataclass(frozen=True)
class Fake:
    """One stage: its capability and method, and the shares of right answers before, after and merged."""

    name: str
    capability: str = "cot"
    method: str = "lora"
    shares: tuple[float, float, float] = (0.12, 0.59, 0.57)
    metric: str = "accuracy"
    extra: str = ""
    learned_by: str = ""  # grpo or dpo: what the training logs look like
    is_of_media: bool = False


COT = Fake("cot")
TOOLS = Fake(
    "tools", "tools", shares=(0.31, 0.86, 0.88), metric="exact call match", extra="epochs: 2, rank: 8"
)
TEXTS = Fake("house-style", method="sft", metric="perplexity", shares=(2.71, 2.31, 2.33))
RULES = Fake("rules", method="grpo", learned_by="grpo", extra="batch_size: 8")
PAIRS = Fake("preferred", method="dpo", learned_by="dpo", shares=(0.4, 0.5, 0.49))
OWN_PAIRS = replace(PAIRS, extra="on_policy: {samples_per_prompt: 6}")
JUDGED = Fake(
    "judged",
    method="ppo",
    learned_by="grpo",
    shares=(0.5, 0.56, 0.55),
    extra="rewards: [{verifier: reward-model, options: {model: judge}}]",
)
SEEING = Fake("seeing", shares=(0.2, 0.9, 0.9), is_of_media=True)
JUDGE = Fake("judge", learned_by="dpo")  # what a reward model logs looks like this
JUDGES = ("judge", "second-opinion")


def build(
    folder: Path,
    fakes: Sequence[Fake] = (COT, TOOLS),
    compose: str = "sequential",
    gate: str = "{max_drop: 0.05}",
    hostile: str = "",
    is_gguf: bool = False,
    judges: Sequence[str] = (),
    streams: str = "",
) -> tuple[Plan, list[Verdict]]:
    """Write a recipe, a base, data and a store full of results; return the plan and the gates' verdicts.

    Args:
        folder: an empty folder.
        fakes: the stages.
        compose: as in recipes.
        gate: what the gate `*` demands; none if empty.
        hostile: text that models and data say wherever they say something.
        is_gguf: whether the base must be converted first.
        judges: names of reward models.
        streams: "equal" or "differ": the recipe tries its streams, and this is what comes out.
    """
    base = folder / ("SmolLM2-135M-Instruct.Q8_0.gguf" if is_gguf else "SmolLM2-135M-Instruct")
    if is_gguf:
        folder.mkdir(parents=True, exist_ok=True)
        base.write_bytes(b"GGUF")
    else:
        base.mkdir(parents=True)
        (base / "config.json").write_text('{"model_type": "llama"}')
        (base / "model.safetensors").write_bytes(b"weights")
    plan = make_plan(read_recipe(_recipe(folder, base, fakes, compose, gate, hostile, judges, bool(streams))))
    stages = {fake.name: _evaluation(fake, hostile) for fake in fakes}
    merged = {fake.name: _merged(fake, stages[fake.name], hostile) for fake in fakes}
    for artifact in plan.artifacts.values():
        if artifact.kind == "feature":
            _store_streams(plan, artifact, streams == "equal", hostile)
        elif artifact.kind != "report":
            _store(plan, artifact, {fake.name: fake for fake in fakes}, stages, merged, hostile)
    measured = {name: entry["merged"] for name, entry in merged.items()}
    verdicts = judge_all(plan.recipe.gates, stages, measured)
    for feature in plan.recipe.features:
        found = stored_json(plan, f"feature/{feature.name}")
        verdicts += judge_streams(feature.name, plan.recipe.gates.get(feature.name), found)
    return plan, verdicts


def _store_streams(plan: Plan, artifact: Artifact, is_equal: bool, hostile: str) -> None:
    """Store what streams were found to be: of eight each takes longer, and the server loses words or not."""
    draw = random.Random(1)
    arrivals = {
        n: [
            list(accumulate(draw.uniform(0.02, 0.05) * (1 + n / 8) for _ in range(40)))
            for _ in range(max(n, 4))
        ]
        for n in (1, 8)
    }
    seen = {
        n: [Arrivals(0.0, tuple(moments), moments[-1], len(moments) + 1) for moments in many]
        for n, many in arrivals.items()
    }
    ways = [(where, drawn) for drawn in ("greedy", "drawn") for where in ("in process", "server")]
    whole, lost = Said("Six boxes." + hostile, tokens=4), Said("Six." + hostile, tokens=3)
    comparisons = [
        comparison(
            where,
            drawn,
            [whole] * 4,
            [lost if where == "server" and drawn == "drawn" and not is_equal else whole, *[whole] * 3],
            ["How many boxes?" + hostile] * 4,
        )
        for where, drawn in ways
    ]
    staging = plan.store.staging(artifact.key)
    found = {
        "stage": artifact.name,
        "is_equal": is_equal,
        "comparisons": comparisons,
        "loads": [summary(1, [[one] for one in seen[1]]), summary(8, [seen[8]])],
        "asked": {"cot": 2, "tools": 2},
        "device": "cpu",
        "dtype": "bfloat16",
    }
    write_json(
        staging / "feature.json", {"schema": 1, "key": artifact.key, "capability": "streaming", **found}
    )
    write_atomically(staging / "arrivals.svg", arrivals_chart(arrivals))
    made = Made(plan.recipe.seed, {"is_equal": is_equal}, seconds=31)
    plan.store.seal(artifact.kind, artifact.name, artifact.key, artifact.made_from, time.time() - 31, made)


def _recipe(
    folder: Path,
    base: Path,
    fakes: Sequence[Fake],
    compose: str,
    gate: str,
    hostile: str,
    judges: Sequence[str],
    with_streams: bool = False,
) -> Path:
    data = folder / "problems.jsonl"
    rows = [{"prompt": f"{a} + {a}?", "completion": f"{2 * a}"} for a in range(300)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    targets = f", targets: [{json.dumps(hostile)}]" if hostile else ""
    stages = "".join(
        f"  - {fake.capability}: {{name: {fake.name}, method: {fake.method}, data: [{{path: problems.jsonl}}]"
        f"{targets}{', ' if fake.extra else ''}{fake.extra}}}\n"
        for fake in fakes
    )
    models = "".join(
        f"  {name}: {{data: [{{path: problems.jsonl}}], epochs: 2{targets}}}\n" for name in judges
    )
    models = f"reward_models:\n{models}" if judges else ""
    stages += "  - streaming\n" if with_streams else ""
    held = ", streaming: {max_first_token_seconds: 0.09, min_tokens_per_second: 2}" if with_streams else ""
    gates = f'gates: {{"*": {gate}{held}}}\n' if gate else ""
    path = folder / "secret-name.yaml"
    path.write_text(
        f"base_model: {base}\ncompose: {compose}\noutput_dir: {folder / 'results'}\n{gates}{models}"
        f"defaults: {{batch_size: 4, max_length: 512, held_out: {HELD_OUT}}}\ncapabilities:\n{stages}"
    )
    return path


def _store(
    plan: Plan,
    artifact: Artifact,
    fakes: dict[str, Fake],
    stages: dict[str, Any],
    merged: dict[str, Any],
    hostile: str,
) -> None:
    draw = random.Random(artifact.id)
    staging = plan.store.staging(artifact.key)
    metrics: dict[str, Any] = {}
    usual = {
        "detect": 0.4,
        "base": 11,
        "data": 6,
        "reward": 120,
        "pairs": 95,
        "train": 190,
        "evaluate": 48,
        "merge": 9,
    }
    seconds = usual[artifact.kind] * draw.uniform(0.7, 1.5)
    if artifact.kind == "detect":
        names = ("text", "vision", "audio_in", "audio_out", "video", "vision_output", "video_output")
        found = {name: name == "text" for name in names}
        why = {"text": ["LlamaForCausalLM inherits GenerationMixin"]}
        detected = {
            "kind": "transformers",
            "model_type": "llama",
            "parameters": 134515008,
            "read_from": str(plan.output_dir),
        }
        write_json(staging / "detected.json", {**detected, "modalities": found, "evidence": why})
    elif artifact.kind == "data":
        _write_data(staging, hostile)
        if artifact.name in fakes and fakes[artifact.name].is_of_media:
            _write_media(staging)
    elif artifact.kind == "reward":
        metrics = {
            **_write_training(staging, 1, JUDGE, hostile),
            "accuracy_before": 0.4875,
            "accuracy": 0.8125,
        }
        metrics["accuracy_before"] = None if artifact.name == "second-opinion" else metrics["accuracy_before"]
    elif artifact.kind == "pairs":
        made = {"prompts": 160, "pairs": 74, "all_right": 50, "all_wrong": 36, "unanswered": 0, "too_long": 0}
        write_json(staging / "statistics.json", {**made, "right_share": 0.5625, "tokens": 15213})
    elif artifact.kind == "train":
        metrics = _write_training(staging, len(artifact.name) % 3, fakes[artifact.name], hostile)
    elif artifact.id == "evaluate/merged":
        write_json(staging / "evaluation.json", {"schema": 1, "stages": merged})
    elif artifact.kind == "evaluate":
        write_json(staging / "evaluation.json", stages[artifact.name])
    elif artifact.kind == "base":
        (staging / "model.safetensors").write_bytes(b"converted")
    else:
        (staging / "model.safetensors").write_bytes(b"merged" * 1000)
        parity = {
            "max_difference": 0.0021,
            "scale": 31.4,
            "tolerance": 0.0001,
            "prompts": 8,
            "positions": 212,
        }
        how = {"combine": "sum", "weights": dict.fromkeys(fakes, 1.0), "dtype": "bfloat16", "tied": True}
        metrics = {**how, "step_difference": 3.1e-6, "parity": {**parity, "top1_agreement": 1.0}}
    made = Made(plan.recipe.seed, metrics, seconds=seconds)
    started = time.time() - seconds
    plan.store.seal(artifact.kind, artifact.name, artifact.key, artifact.made_from, started, made)


def _write_data(staging: Path, hostile: str) -> None:
    statistics = {
        "rows": 1180,
        "quarantined": 3,
        "train_samples": 1000,
        "held_out_samples": HELD_OUT,
        "tokens": 148213,
        "tokens_per_sample": {"0": 61, "50": 139, "90": 233, "99": 318, "100": 402},
        "learned_share": 0.4217,
        "length_histogram": LENGTHS,
        "left_aside": {"duplicates": 12, "longer than max_length" + hostile: 5},
        "sources": ["problems.jsonl" + hostile],
        "columns_not_read": {"problems.jsonl" + hostile: {"zork" + hostile: 40}},
    }
    bad = [
        ("problems.jsonl:17", "no answer"),
        ("problems.jsonl:90", "no answer"),
        ("problems.jsonl:201", "not JSON"),
    ]
    write_json(staging / "statistics.json", statistics)
    write_atomically(staging / LENGTHS_SVG, _lengths())
    rows = [{"place": place + hostile, "reason": reason + hostile, "row": {}} for place, reason in bad]
    write_jsonl(staging / "quarantine.jsonl", rows)


def _write_media(staging: Path) -> None:
    """Keep a picture, a clip and a sound, in this order."""
    tone = io.BytesIO()
    with wave.open(tone, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(
            b"".join(int(9000 * math.sin(t / 9)).to_bytes(2, "little", signed=True) for t in range(16000))
        )
    picture = next(scenes.rows(1, 0, False, scenes.Settings()))["messages"][0]["content"][0]["image"]["bytes"]
    clip = next(moving_scenes.rows(1, 0, False, moving_scenes.Settings()))["messages"][0]["content"][0][
        "video"
    ]["bytes"]
    writer = MediaWriter(staging)
    for kind, data in (("image", picture), ("video", clip), ("audio", tone.getvalue())):
        writer.add({"kind": kind, "bytes": data}, staging)
    writer.finish()


def _ablations(hostile: str) -> dict[str, Any]:
    """Return what is left without the sense: none for questions about order, all for those about colour."""

    def left(value: float, order: float, hurts: str, drop: float) -> dict[str, Any]:
        levels = {
            "order: first" + hostile: {"value": order, "samples": 30, "whole": 0.9},
            "colour": {"value": 2 * value - order, "samples": 30, "whole": 0.95},
        }
        fall = {"value": drop, "low": drop - 0.1, "high": drop + 0.1, "samples": 30 if hurts else 60}
        ends = {"value": value, "low": value - 0.1, "high": value + 0.1}
        return {**ends, "samples": 60, "levels": levels, "whole": 0.925, "hurts": hurts, "drop": fall}

    return {
        "question alone" + hostile: left(0.25, 0.2, "", 0.675),
        "frames shuffled": left(0.7, 0.45, "order: ", 0.45),
        "clip swapped": left(0.85, 0.85, "", 0.05),
    }


@functools.cache
def _lengths() -> str:
    return length_histogram(LENGTHS["edges"], LENGTHS["samples"], 512)


@functools.cache
def _history(variant: int) -> tuple[list[dict[str, float]], str]:
    draw = random.Random(variant)
    start, floor, speed = draw.uniform(1.6, 2.6), draw.uniform(0.2, 0.5), draw.uniform(18, 40)
    history = [
        {
            "step": 4 * index,
            "epoch": index / 63,
            "tokens": 2400 * index,
            "loss": floor + start * math.exp(-index / speed) + draw.gauss(0, 0.07),
            "learning_rate": 2e-4 * min(1, index / 6) * (0.5 + 0.5 * math.cos(math.pi * index / 188)),
        }
        for index in range(1, 189)
    ]
    return history, loss_curve(history)


def _write_training(staging: Path, variant: int, fake: Fake, hostile: str) -> dict[str, Any]:
    history, svg = _history(variant)
    if fake.learned_by:
        history, charts = _logged(fake.learned_by, hostile)
        svg = loss_curve(history)
        for slug, chart in charts.items():
            write_atomically(staging / "charts" / f"{slug}.svg", chart)
    if fake.learned_by == "grpo":
        write_jsonl(staging / "completions.jsonl", _completions(hostile))
        kinds = [
            ("TimeoutExpired after 5 seconds", 14, "```python\nwhile True: pass\n```"),
            ("no code", 3, None),
        ]
        failures = [
            {"component": "runs" + hostile, "reason": r + hostile, "count": n, "example": e and e + hostile}
            for r, n, e in kinds
        ]
        write_json(staging / "reward_failures.json", failures)
    write_jsonl(staging / "metrics.jsonl", history)
    (staging / "loss.svg").write_text(svg, encoding="utf-8")
    (staging / "adapter").mkdir()
    (staging / "adapter" / "adapter_model.safetensors").write_bytes(b"adapter" * 99)
    return {
        "steps": 752,
        "first_loss": history[0]["loss"],
        "last_loss": history[-1]["loss"],
        "trained_parameters": 4884480,
        "precision": "fp32",
        "is_padding_free": True,
        "tokens_per_second": 1180.4,
        "training_seconds": 171.2,
    }


@functools.cache
def _logged(method: str, hostile: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return what a method with rewards logs, with a hole in it, and the charts of that."""
    draw = random.Random(method)
    log = {"grpo": _grpo, "dpo": _dpo}[method]
    entries: list[dict[str, Any]] = [
        {"step": 2 * i, "learning_rate": 1e-5 * (1 - i / 201), **log(1 - math.exp(-i / 60), draw, hostile)}
        for i in range(1, 201)
    ]
    entries[20] |= {"kl": None, "reward": None, "rewards/margins": None}
    return entries, metric_charts(entries)


def _grpo(done: float, draw: random.Random, hostile: str) -> dict[str, Any]:
    correct, form = (
        max(0, min(1, draw.gauss(mean, 0.06))) for mean in (0.1 + 0.6 * done, 0.2 + 0.8 * done**0.5)
    )
    length = 90 + 70 * done + draw.gauss(0, 9)
    return {
        "loss": draw.gauss(0.002, 0.01),
        "reward": correct + 0.5 * form,
        "reward_std": 0.4 - 0.2 * done + draw.gauss(0, 0.03),
        "rewards/correct/mean": correct,
        "rewards/correct/std": 0.3,
        "rewards/form/mean": form,
        f"rewards/length_{hostile}/mean": draw.gauss(-0.1, 0.02),
        "kl": 0.05 * done + abs(draw.gauss(0, 0.004)),
        "entropy": 0.9 - 0.6 * done + draw.gauss(0, 0.02),
        "completions/mean_length": length,
        "completions/min_length": length * 0.4,
        "completions/max_length": min(256, length * 1.7),
        "completions/clipped_ratio": max(0, draw.gauss(0.12 * done, 0.03)),
        "clip_ratio/region_mean": max(0, draw.gauss(0.004, 0.002)),
        "frac_reward_zero_std": 0.1 + 0.4 * done * draw.random(),
    }


def _dpo(done: float, draw: random.Random, _: str) -> dict[str, Any]:
    chosen, rejected = draw.gauss(0.3 * done, 0.05), draw.gauss(-1.1 * done, 0.1)
    return {
        "loss": 0.69 - 0.35 * done + draw.gauss(0, 0.03),
        "rewards/chosen": chosen,
        "rewards/rejected": rejected,
        "rewards/margins": chosen - rejected,
        "rewards/accuracies": min(1, draw.gauss(0.5 + 0.4 * done, 0.06)),
        "logps/chosen": -120 + 3 * chosen,
        "logps/rejected": -118 + 10 * rejected,
        "entropy": None,
    }


def _completions(hostile: str) -> list[dict[str, Any]]:
    prompts = [(f"A shelf has {n} rows of 12 books. How many books are there?", str(12 * n)) for n in (4, 7)]
    texts = [
        "Books are nice. There are many of them on shelves. " * 60,
        "12 books, so 12.",
        "There are rows of 12 books.\nThe answer is \\boxed{RIGHT}.",
    ]
    return [
        {
            "step": step,
            "prompt": prompt + hostile,
            "completion": texts[min(2, step // 100)].replace("RIGHT", right) + hostile,
            "expected": right + hostile if right == "48" else None,
            "reward": None if step == 50 else round(0.1 + step / 300, 3),
            "rewards": {"correct": float(step >= 200), "form" + hostile: 0.5},
        }
        for step in range(0, 401, 50)
        for prompt, right in prompts
        for _ in range(2)
    ]


def _evaluation(fake: Fake, hostile: str) -> dict[str, Any]:
    problems = [_problem(fake, index) for index in range(HELD_OUT)]
    before, after = (_measured(fake, problems, which, hostile) for which in (0, 1))
    asked: list[dict[str, Any]] = [
        {"prompt": prompt + hostile, "expected": expected + hostile} for prompt, expected, _ in problems
    ]
    for index, told in enumerate(asked if fake.is_of_media else []):
        place = list(PLACEHOLDERS)[index % 3]
        told["prompt"] = f"user: {PLACEHOLDERS[place]}\n" + told["prompt"].removeprefix("user: ")
        told |= {"media": [index % 3], "level": "colour" + hostile}
    return {
        **({"ablations": _ablations(hostile)} if fake.is_of_media else {}),
        "schema": 1,
        "stage": fake.name,
        "capability": fake.capability,
        "method": fake.method,
        "metric": fake.metric,
        "higher_is_better": fake.metric != "perplexity",
        "samples": HELD_OUT,
        "asked": asked,
        "before": before,
        "after": after,
        "gain": _gain(fake, before, after),
    }


def _merged(fake: Fake, evaluation: dict[str, Any], hostile: str) -> dict[str, Any]:
    problems = [_problem(fake, index) for index in range(HELD_OUT)]
    merged = _measured(fake, problems, 2, hostile)
    gain = _gain(fake, evaluation["before"], merged)
    return {
        "metric": fake.metric,
        "higher_is_better": evaluation["higher_is_better"],
        "merged": merged,
        "gain": gain,
    }


def _gain(fake: Fake, before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    first, second = (before, after) if fake.metric != "perplexity" else (after, before)
    low, high = paired_bootstrap(first["values"], second["values"])
    means = [sum(entry["values"]) / HELD_OUT for entry in (first, second)]
    return {"value": means[1] - means[0], "low": low, "high": high}


def _problem(fake: Fake, index: int) -> tuple[str, str, int]:
    draw = random.Random(f"{fake.name}{index}")
    a, b, c = draw.randint(3, 40), draw.randint(2, 12), draw.randint(2, 30)
    if fake.metric == "perplexity":
        return (
            f"The harbour opens at {a % 12} and closes after {b} boats have left; "
            "the keeper writes all of it down.",
            "",
            0,
        )
    if fake.capability == "tools":
        functions = [
            {"name": "set_timer", "parameters": {"minutes": "integer", "label": "string"}},
            {"name": "convert"},
        ]
        prompt = f"system: You can call these functions:\n{json.dumps(functions, indent=1)}\n\n"
        call = json.dumps({"name": "set_timer", "arguments": {"minutes": a, "label": "tea"}})
        return (
            f"{prompt}user: Start a timer of {a} minutes for my tea.",
            f"<tool_call>\n{call}\n</tool_call>",
            a,
        )
    prompt = f"user: A baker has {a} trays with {b} rolls each and sells {c} rolls. How many are left?"
    right = a * b - c
    steps = f"There are {a} × {b} = {a * b} rolls.\nAfter selling {c}, {a * b} − {c} = {right} are left.\n"
    return prompt, f"{steps}The answer is \\boxed{{{right}}}.", right


def _measured(fake: Fake, problems: list[tuple[str, str, int]], which: int, hostile: str) -> dict[str, Any]:
    draw = random.Random(f"{fake.name}{min(which, 1)}")
    if fake.metric == "perplexity":
        nats = [fake.shares[which] + draw.gauss(0, 0.25) for _ in problems]
        mean, spread = sum(nats) / len(nats), 0.06
        ends = {"value": math.exp(mean), "low": math.exp(mean - spread), "high": math.exp(mean + spread)}
        said = [{"text": "", "note": f"perplexity {math.exp(value):.2f}"} for value in nats]
        return {
            **ends,
            "parts": {},
            "levels": {},
            "values": nats,
            "weights": [20] * len(nats),
            "said": said,
            **_cost(),
        }
    values = [float(draw.random() < fake.shares[which]) for _ in problems]
    low, high = wilson(int(sum(values)), len(values))
    said = [
        {
            "text": _said(fake, problem, value, which, draw) + hostile,
            "note": ("" if value else "another answer") + hostile,
        }
        for problem, value in zip(problems, values, strict=True)
    ]
    share = sum(values) / len(values)
    levels = {
        name: {"value": max(0.0, share - 0.1 * place), "samples": 27} for place, name in enumerate(LEVELS)
    }
    parts = {
        "gives an answer in the form" + hostile: 0.3 + 0.35 * min(which, 1) * 2 - 0.02,
        "arithmetic": share,
    }
    return {
        "value": share,
        "low": low,
        "high": high,
        "parts": parts,
        "levels": levels if fake.capability == "cot" else {},
        "values": values,
        "said": said,
        **_cost(),
    }


def _cost() -> dict[str, Any]:
    return {"samples": HELD_OUT, "seconds": 21.3}


def _said(fake: Fake, problem: tuple[str, str, int], value: float, which: int, draw: random.Random) -> str:
    if value:
        return problem[1]
    if which == 0:
        return (
            "Sure! To find out how many are left we need to know more about the situation. "
            * draw.randint(1, 4)
        )
    return problem[1].replace(str(problem[2]), str(problem[2] + draw.choice([-10, -1, 1, 2, 10])))


def main(folder: Path) -> None:
    """Write reports of several kinds to look at: python -m tests.unit.report_fixture FOLDER."""
    from rich.console import Console

    from manus.report.page import print_summary, render

    many = [
        Fake(f"{name}-{round_}", name, method, shares)
        for round_ in (1, 2, 3)
        for name, method, shares in (
            ("cot", "lora", (0.2, 0.5, 0.45)),
            ("tools", "qlora", (0.5, 0.52, 0.51)),
            ("reasoning", "dora", (0.4, 0.25, 0.22)),
            ("thinking", "sft", (0.1, 0.6, 0.5)),
        )
    ]
    cases: dict[str, dict[str, Any]] = {
        "two": {},
        "failed": {
            "fakes": [COT, Fake("tools", "tools", shares=(0.6, 0.62, 0.4)), TEXTS],
            "gate": "{min_gain: 0.05}",
        },
        "chain": {"fakes": many, "gate": ""},
        "fan": {"fakes": many[:5], "compose": "parallel"},
        "fan-open": {"fakes": many[:5], "compose": "parallel", "gate": ""},
        "rewards": {"fakes": [COT, RULES, PAIRS], "gate": ""},
        "judges": {"fakes": [COT, JUDGED, OWN_PAIRS, TEXTS], "gate": "", "judges": JUDGES},
        "judges-fan": {
            "fakes": [COT, OWN_PAIRS, JUDGED],
            "gate": "",
            "judges": JUDGES[:1],
            "compose": "parallel",
        },
        "own-first": {"fakes": [OWN_PAIRS], "gate": ""},
        "senses": {"fakes": [COT, SEEING], "gate": ""},
        "one": {"fakes": [COT], "gate": "", "is_gguf": True},
        "hostile": {
            "fakes": [COT, TOOLS, RULES, OWN_PAIRS, JUDGED],
            "judges": JUDGES,
            "hostile": "<script>alert(1)</script></pre></style><img src=x onerror=alert(2)>",
        },
    }
    for name, arguments in cases.items():
        plan, verdicts = build(folder / name, **arguments)
        started = time.monotonic()
        (folder / f"{name}.html").write_text(render(plan, verdicts), encoding="utf-8")
        print(
            f"{name}: {time.monotonic() - started:.2f} s, {(folder / f'{name}.html').stat().st_size:,} bytes"
        )
        print_summary(plan, verdicts, Console())


if __name__ == "__main__":
    import sys

    main(Path(sys.argv[1]))
