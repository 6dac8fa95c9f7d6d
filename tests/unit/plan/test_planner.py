"""Which edit rebuilds what: keys hold everything that can alter an artifact, and nothing else."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest
from safetensors.numpy import save_file

from manus.errors import ModelError
from manus.files import write_json
from manus.jobs.runner import show
from manus.plan.artifacts import Artifact, Plan
from manus.plan.garbage import remove_unreferenced
from manus.plan.next_run import changes, next_run, status_of
from manus.plan.planner import make_plan
from manus.recipe.recipe import read_recipe
from manus.runs.progress import progress_of
from manus.store.store import Made, Store

RECIPE = """\
base_model: base
output_dir: {out}
seed: 1
defaults: {{method: lora, epochs: 1}}
capabilities:
  - cot:
      data: [{{path: one.jsonl}}]
  - tools:
      data: [{{path: two.jsonl}}]
      epochs: 2
  - thinking:
      data: [{{path: three.jsonl}}]
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe of three stages beside a base and three data files."""
    import numpy as np

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text('{"model_type": "llama"}')
    save_file({"w": np.zeros(4, dtype=np.float32)}, tmp_path / "base" / "model.safetensors")
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"prompt": name, "completion": "x"}) + "\n")
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE.format(out=tmp_path / "results"))
    return path


def planned(path: Path) -> Plan:
    return make_plan(read_recipe(path))


def built(plan: Plan) -> None:
    """Put made-up results for everything that is not there into the store, and show them."""
    for artifact in plan.artifacts.values():
        if not plan.store.holds(artifact.key):
            write_json(plan.store.staging(artifact.key) / (artifact.file or "file.json"), {"id": artifact.id})
            made = Made(seed=1, metrics={})
            plan.store.seal(artifact.kind, artifact.name, artifact.key, artifact.made_from, time.time(), made)
        show(plan, artifact)
    plan.save()


def to_build(plan: Plan) -> set[str]:
    return {name for name, artifact in plan.artifacts.items() if status_of(plan, artifact).action == "build"}


def replaced(old: str, new: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return edit


def data_changed(path: Path) -> None:
    (path.parent / "three.jsonl").write_text(json.dumps({"prompt": "other", "completion": "y"}) + "\n")


def only_touched(path: Path) -> None:
    os.utime(path.parent / "three.jsonl", (1, 1))


def weights_changed(path: Path) -> None:
    import numpy as np

    save_file({"w": np.ones(4, dtype=np.float32)}, path.parent / "base" / "model.safetensors")


EVERYTHING = {
    "detect/detected",
    "data/cot",
    "data/tools",
    "data/thinking",
    "train/cot",
    "train/tools",
    "train/thinking",
    "evaluate/cot",
    "evaluate/tools",
    "evaluate/thinking",
    "merge/merged",
    "evaluate/merged",
    "report/report",
}
END = {"merge/merged", "evaluate/merged", "report/report"}
FROM_TOOLS = {"train/tools", "train/thinking", "evaluate/tools", "evaluate/thinking"} | END
EDITS = {
    "a comment": (replaced("seed: 1", "seed: 1  # why not"), set()),
    "key order": (replaced("base_model: base\n", ""), None),
    "guard limits": (replaced("seed: 1", "seed: 1\nguards: {checkpoint_every_steps: 5}"), set()),
    "a default written out": (replaced("epochs: 2", "epochs: 2\n      weight_decay: 0.0"), set()),
    "the second stage's epochs": (replaced("epochs: 2", "epochs: 3"), FROM_TOOLS),
    "the third stage's data": (data_changed, {"data/thinking", "train/thinking", "evaluate/thinking"} | END),
    "the third stage's data, its time only": (only_touched, set()),
    "the base's weights": (weights_changed, EVERYTHING),
    "the seed": (replaced("seed: 1", "seed: 2"), EVERYTHING - {"detect/detected"}),
    "a stage at the end": (
        lambda path: path.write_text(path.read_text() + "  - reasoning: {data: [{path: one.jsonl}]}\n"),
        {"data/reasoning", "train/reasoning", "evaluate/reasoning"} | END,
    ),
    "which turns the third stage learns": (
        replaced("three.jsonl}]", "three.jsonl}]\n      learn: last_turn"),
        {"data/thinking", "train/thinking", "evaluate/thinking"} | END,
    ),
    "a column that the third stage ignores": (
        replaced("three.jsonl}]", "three.jsonl, ignore: [score]}]"),
        {"data/thinking", "train/thinking", "evaluate/thinking"} | END,
    ),
    "streams that are tried": (
        lambda path: path.write_text(path.read_text() + "  - streaming\n"),
        {"feature/streaming", "report/report"},
    ),
    "the merge": (replaced("seed: 1", "seed: 1\nmerge: {combine: ties}"), END),
    "the second stage's probe": (
        replaced("epochs: 2", "epochs: 2\n      probe: {max_new_tokens: 9}"),
        {"evaluate/tools"} | END,
    ),
    "the first stage's max_length": (
        replaced("one.jsonl}]", "one.jsonl}]\n      max_length: 99"),
        EVERYTHING - {"detect/detected", "data/tools", "data/thinking"},
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_rebuilds_exactly_what_it_alters(recipe: Path, name: str) -> None:
    built(planned(recipe))
    assert to_build(planned(recipe)) == set()
    edit, expected = EDITS[name]
    edit(recipe)
    if name == "key order":
        recipe.write_text(recipe.read_text() + "base_model: base\n")
        expected = set()
    assert expected is not None
    assert to_build(planned(recipe)) == expected


def test_a_renamed_recipe_is_published_not_rebuilt(recipe: Path) -> None:
    built(planned(recipe))
    renamed = recipe.rename(recipe.with_name("other.yaml"))
    plan = planned(renamed)
    assert {status_of(plan, a).action for a in plan.artifacts.values()} == {"publish"}


def test_going_back_trains_nothing(recipe: Path) -> None:
    built(planned(recipe))
    first = recipe.read_text()
    recipe.write_text(first.replace("epochs: 2", "epochs: 5"))
    built(planned(recipe))
    recipe.write_text(first)
    plan = planned(recipe)
    actions = {name: status_of(plan, artifact).action for name, artifact in plan.artifacts.items()}
    assert {name for name, action in actions.items() if action == "publish"} == FROM_TOOLS
    assert "build" not in actions.values()


def test_recipes_with_the_same_first_stages_share_them(recipe: Path) -> None:
    built(planned(recipe))
    other = recipe.with_name("two.yaml")
    other.write_text(recipe.read_text().replace("epochs: 2", "epochs: 7"))
    assert to_build(planned(other)) == FROM_TOOLS


@pytest.mark.parametrize("harm", ["truncated", "changed", "missing"])
def test_damage_is_rebuilt_and_nothing_else(recipe: Path, harm: str) -> None:
    plan = planned(recipe)
    built(plan)
    artifact = plan.artifacts["train/tools"]
    file = artifact.view / "file.json"
    if harm == "missing":
        file.unlink()
        expected = "publish"
    else:
        time.sleep(0.02)
        text = file.read_text()
        file.write_text("" if harm == "truncated" else text.replace("train", "tarin"))
        expected = "build"
    status = status_of(plan, artifact)
    assert (status.action, status.token != artifact.stamp) == (expected, True)
    others = [a for a in plan.artifacts.values() if a is not artifact]
    assert all(status_of(plan, other).action == "current" for other in others)
    plan.store.discard(artifact.key)
    built(plan)
    assert status_of(plan, artifact).action == "current"


REASONS = {
    "training.epochs: 2.0 -> 3.0": ("train/tools", replaced("epochs: 2", "epochs: 3")),
    "the content of three.jsonl changed": ("data/thinking", data_changed),
    "the content of base_model base changed": ("train/cot", weights_changed),
    "built on train/tools, which changed": ("train/thinking", replaced("epochs: 2", "epochs: 3")),
    "method.name: lora -> dora": ("train/tools", replaced("epochs: 2", "epochs: 2\n      method: dora")),
}


@pytest.mark.parametrize("reason", REASONS)
def test_why_names_the_field_or_file(recipe: Path, reason: str) -> None:
    built(planned(recipe))
    name, edit = REASONS[reason]
    edit(recipe)
    plan = planned(recipe)
    assert reason in changes(plan, plan.artifacts[name])


def test_whatever_learns_has_its_changed_files_named(recipe: Path) -> None:
    recipe.write_text(recipe.read_text() + "reward_models: {judge: {data: [{path: pairs.jsonl}]}}\n")
    pair = {"prompt": "one", "chosen": "yes", "rejected": "no"}
    (recipe.parent / "pairs.jsonl").write_text(json.dumps(pair) + "\n")
    built(planned(recipe))
    learned = planned(recipe).recipe.learned
    assert {one.name for one in learned} == {"cot", "tools", "thinking", "judge"}
    for one in learned:
        file = recipe.parent / str(one.sources[0].path)
        file.write_text(file.read_text() + file.read_text())
    statuses = next_run(planned(recipe))
    told = {one.name: statuses[f"data/{one.name}"].why for one in learned}
    assert told == {one.name: f"the content of {one.sources[0].path} changed" for one in learned}


SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(Path(__file__).parents[3] / "Snakefile")]


def test_what_cannot_be_planned_is_one_line_in_snakemake_too(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import manus.plan.next_run\nfrom manus.errors import DataError\n\n"
        "def next_run(plan):\n    raise DataError('one.jsonl: it has just gone')\n\n"
        "manus.plan.next_run.next_run = next_run\n"
    )
    command = [*SNAKEMAKE, "-n", "--config", f"recipe={recipe}"]
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=recipe.parent, env={**os.environ, "PYTHONPATH": path}
    )
    assert (done.returncode, done.stderr.strip().splitlines()[-1]) == (2, "one.jsonl: it has just gone")
    assert "Traceback" not in done.stderr


def test_gates_decide_what_is_shown_not_what_is_built(recipe: Path) -> None:
    built(planned(recipe))
    recipe.write_text(recipe.read_text() + 'gates: {"*": {max_drop: 0.1}}\n')
    plan = planned(recipe)
    assert to_build(plan) == {"report/report"}
    assert status_of(plan, plan.artifacts["merge/merged"]).action == "publish"


def with_streaming(path: Path, more: str = "") -> Plan:
    path.write_text(RECIPE.format(out=path.parent / "results") + f"  - streaming{more}\n")
    return planned(path)


def test_streaming_trains_nothing_and_is_measured_on_the_merged_model(recipe: Path) -> None:
    before = planned(recipe)
    plan = with_streaming(recipe)
    new = {name: artifact for name, artifact in plan.artifacts.items() if name not in before.artifacts}
    assert list(new) == ["feature/streaming"]
    data = {"data/cot", "data/tools", "data/thinking"}
    assert set(new["feature/streaming"].parents) == {"merge/merged", *data}
    assert new["feature/streaming"].view == plan.folder / "evaluations" / "streaming.json"
    changed = [name for name, a in before.artifacts.items() if plan.artifacts[name].key != a.key]
    assert changed == ["report/report"], "what is trained and merged has the keys that it had"
    assert "feature/streaming" in plan.artifacts["report/report"].parents
    assert plan.to_json()["features"] == [{"name": "streaming", "capability": "streaming"}]
    assert "features" not in before.to_json()
    assert (plan.result_of("streaming"), plan.result_of("cot")) == ("feature/streaming", "train/cot")


def test_streams_decide_whether_the_merged_model_is_shown(recipe: Path) -> None:
    built(planned(recipe))
    plan = with_streaming(recipe)
    assert status_of(plan, plan.artifacts["merge/merged"]).action == "publish"
    built(plan)
    again = with_streaming(recipe, ": {probe: {questions: 2}}")
    assert to_build(again) == {"feature/streaming", "report/report"}
    assert status_of(again, again.artifacts["merge/merged"]).action == "publish"
    gated = with_streaming(recipe, "\ngates: {streaming: {max_gap_p95_seconds: 0.1}}")
    assert to_build(gated) == {"report/report"}, "limits are held against what was measured"
    assert status_of(gated, gated.artifacts["merge/merged"]).action == "publish"


def test_the_machine_is_in_no_key_of_what_it_measures(recipe: Path) -> None:
    made_from = with_streaming(recipe).artifacts["feature/streaming"].made_from
    assert set(made_from) == {"kind", "format", "base", "capability", "probe", "seed", "parents"}


def test_a_parallel_recipe_starts_every_stage_from_the_base(recipe: Path) -> None:
    recipe.write_text(recipe.read_text() + "compose: parallel\n")
    plan = planned(recipe)
    trained = [a for a in plan.artifacts.values() if a.kind == "train"]
    assert all(not any(parent.startswith("train/") for parent in a.parents) for a in trained)


def test_the_order_can_be_built(recipe: Path) -> None:
    plan = planned(recipe)
    seen: set[str] = set()
    for artifact in plan.artifacts.values():
        assert {*artifact.parents, *artifact.after} <= seen
        seen.add(artifact.id)
    assert list(plan.needed_for(["train/cot"])) == ["detect/detected", "data/cot", "train/cot"]


def test_no_path_enters_a_key(recipe: Path, tmp_path: Path) -> None:
    keys = {name: a.key for name, a in planned(recipe).artifacts.items()}
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    tmp_path.rename(moved)
    assert {name: a.key for name, a in planned(moved / "r.yaml").artifacts.items()} == keys
    moved.rename(tmp_path)


def test_gc_removes_only_what_no_recipe_refers_to(recipe: Path) -> None:
    built(planned(recipe))
    recipe.write_text(recipe.read_text().replace("epochs: 2", "epochs: 5"))
    plan = planned(recipe)
    built(plan)
    shown = remove_unreferenced(plan.output_dir, is_dry=True)
    assert len(shown) == len(FROM_TOOLS)
    assert remove_unreferenced(plan.output_dir, is_dry=False) == shown
    assert remove_unreferenced(plan.output_dir, is_dry=True) == []
    assert all(plan.store.holds(a.key) for a in plan.artifacts.values())


def test_gc_leaves_what_is_being_built_and_waits_for_nobody(recipe: Path) -> None:
    plan = planned(recipe)
    plan.store.staging("0" * 20)
    with plan.store.lock("0" * 20):
        assert remove_unreferenced(plan.output_dir, is_dry=True) == []
        assert remove_unreferenced(plan.output_dir, is_dry=False) == []
    assert len(remove_unreferenced(plan.output_dir, is_dry=False)) == 1


def test_gc_leaves_what_was_built_and_referred_to_since_it_began(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(recipe)
    built(plan)
    plans = plan.folder / "plan.json"
    told = plans.read_text()
    plans.write_text('{"revisions": {}, "artifacts": {}}')
    lock_if_free = Store.lock_if_free

    def locked_after_another_has_planned(store: Store, key: str) -> AbstractContextManager[bool]:
        plans.write_text(told)
        return lock_if_free(store, key)

    monkeypatch.setattr(Store, "lock_if_free", locked_after_another_has_planned)
    assert remove_unreferenced(plan.output_dir, is_dry=False) == []
    assert all(plan.store.holds(artifact.key) for artifact in plan.artifacts.values())


def test_gc_takes_checkpoints_that_lie_elsewhere(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANUS_CHECKPOINT_DIR", str(tmp_path / "fast"))
    plan = planned(recipe)
    plan.store.staging("0" * 20)
    (plan.store.work("0" * 20) / "weights").write_text("12345678")
    assert remove_unreferenced(plan.output_dir, is_dry=False) == [("unfinished " + "0" * 20, 8)]
    assert not list((tmp_path / "fast").iterdir())


def test_status_tells_done_running_and_interrupted(recipe: Path) -> None:
    plan = planned(recipe)
    artifact: Artifact = plan.artifacts["train/cot"]
    states = {row["id"]: row["state"] for row in progress_of(plan)}
    assert set(states.values()) == {"waiting"}
    me = psutil.Process()
    status = {
        "pid": me.pid,
        "process_started": me.create_time(),
        "host": socket.gethostname(),
        "state": "training",
        "step": 3,
    }
    write_json(plan.store.work(artifact.key) / "status.json", status)
    assert {"id": "train/cot", "state": "training", "step": 3}.items() <= progress_of(plan)[4].items()
    for wrong in ({"pid": 2**22 - 3}, {"process_started": me.create_time() - 60}):
        write_json(plan.store.work(artifact.key) / "status.json", {**status, **wrong})
        assert progress_of(plan)[4]["state"] == "interrupted"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nowhere/at/all", "no such file or directory"),
        ("./nowhere", "no such file or directory"),
        ("package:not-a-package/x.gguf", "not installed"),
        ("package:pytest/x.gguf", "has no file"),
        ("one.jsonl", "must be a .gguf"),
        ("some/model", "cannot be reached"),
    ],
)
def test_a_base_that_is_not_there_is_one_clear_error(recipe: Path, spec: str, words: str) -> None:
    recipe.write_text(recipe.read_text().replace("base_model: base", f"base_model: {spec}"))
    with pytest.raises(ModelError, match=words):
        planned(recipe)


def test_only_large_data_are_prepared_by_all_cores(recipe: Path) -> None:
    recipe.write_text(recipe.read_text().replace("two.jsonl}]", "two.jsonl}]\n      index_above_bytes: 0"))
    command = [*SNAKEMAKE, "-np", "--cores", "7", "--config", f"recipe={recipe}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=recipe.parent, check=True)
    threads = {
        name: count for count, name in re.findall(r"OMP_NUM_THREADS=(\d+) .* data/(\w+) ", done.stdout)
    }
    assert threads == {"cot": "1", "tools": "7", "thinking": "1"}, done.stdout
