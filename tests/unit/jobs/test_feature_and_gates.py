"""The merged model's streams are measured by held-out questions; differing or slow ones keep it back."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from manus.errors import GateError
from manus.files import write_json, write_jsonl
from manus.jobs import feature
from manus.jobs.gates import needed_by_gates, verdicts
from manus.jobs.job import Job
from manus.jobs.runner import check_gates
from manus.plan.planner import make_plan
from manus.recipe.recipe import read_recipe
from manus.store.store import Made
from tests.pico import rows, write_rows
from tests.unit.report.report_fixture import build


def test_the_merged_model_is_asked_what_is_held_out(pico_base: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "first.jsonl", rows("first", 20))
    (tmp_path / "r.yaml").write_text(
        f"base_model: {pico_base}\noutput_dir: {tmp_path / 'results'}\ncapabilities:\n"
        "  - cot: {data: [{path: first.jsonl}]}\n"
        "  - streaming: {name: live, probe: {questions: 2, max_new_tokens: 9}}\n"
    )
    plan = make_plan(read_recipe(tmp_path / "r.yaml"))
    for name in ("data/cot", "merge/merged"):
        staging = plan.store.staging(plan.artifacts[name].key)
        if name == "data/cot":
            write_jsonl(staging / "held_out.jsonl", rows("last", 3))
        else:
            shutil.copytree(pico_base, staging, dirs_exist_ok=True)
        made = plan.artifacts[name]
        plan.store.seal(made.kind, made.name, made.key, made.made_from, time.time(), Made(1, {}))
    artifact = plan.artifacts["feature/live"]
    job = Job(plan, artifact, plan.store.work(artifact.key), plan.store.staging(artifact.key))
    metrics = feature.build(job)
    told = json.loads((job.staging / "feature.json").read_text())
    assert (told["key"], told["stage"], told["capability"]) == (artifact.key, "live", "streaming")
    assert told["is_equal"] and told["asked"] == {"cot": 2}
    assert metrics == {"is_equal": True, "loads": told["loads"]}
    assert all(load["tokens"] <= 9 * load["answers"] for load in told["loads"])
    assert (job.staging / "arrivals.svg").read_text().startswith("<?xml")


def altered(plan: Any, **changes: Any) -> dict[str, Any]:
    """What is stored of the streams, with changes."""
    stored = plan.store.folder(plan.artifacts["feature/streaming"].key)
    return {**json.loads((stored / "feature.json").read_text()), **changes}


def test_what_failed_is_measured_again_and_then_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, told = build(tmp_path, gate="", streams="differ")
    assert needed_by_gates(plan) == ["feature/streaming"]
    assert [verdict.is_passed for verdict in verdicts(plan)] == [False] == [v.is_passed for v in told]
    measured: list[dict[str, Any]] = [
        altered(plan),
        altered(plan, comparisons=altered(plan)["comparisons"][:1]),
    ]
    drawing = plan.store.folder(plan.artifacts["feature/streaming"].key) / "arrivals.svg"
    svg = drawing.read_text()
    calls = []

    def again(job: Job) -> dict[str, Any]:
        found = measured[len(calls)]
        calls.append(job.artifact.id)
        write_json(job.staging / "feature.json", found)
        (job.staging / "arrivals.svg").write_text(svg)
        return {}

    monkeypatch.setattr(feature, "build", again)
    with pytest.raises(GateError) as failed:
        check_gates(plan)
    assert "15 of 16 streamed answers" in str(failed.value) and "no training mends" in str(failed.value)
    assert plan.artifacts["report/report"].view.exists() and not plan.artifacts["merge/merged"].view.exists()
    report = plan.artifacts["report/report"]
    assert plan.store.holds(report.key)
    check_gates(plan)
    assert not plan.store.holds(report.key), "the report that shows the failure is written anew"
    assert calls == ["feature/streaming"] * 2
    check_gates(plan)
    assert len(calls) == 2, "what passes is not measured again"


def test_a_limit_on_times_says_what_can_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, _ = build(tmp_path, gate="{max_drop: 0.5}", streams="equal")
    found = altered(plan)
    found["loads"][1]["tokens_per_second"] = 1.0
    svg = (plan.store.folder(plan.artifacts["feature/streaming"].key) / "arrivals.svg").read_text()

    def slow(job: Job) -> dict[str, Any]:
        write_json(job.staging / "feature.json", found)
        (job.staging / "arrivals.svg").write_text(svg)
        return {}

    plan.store.discard(plan.artifacts["feature/streaming"].key)
    monkeypatch.setattr(feature, "build", slow)
    with pytest.raises(GateError) as failed:
        check_gates(plan)
    assert "streaming, 8 streams: min_tokens_per_second is 1.000, must be >= 2.000" in str(failed.value)
    assert "measure on a machine that nothing else uses" in str(failed.value)
