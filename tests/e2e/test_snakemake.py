"""The main job, from recipe to report, and what a second run does after every kind of change."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.product import Product, digest, manifest, run
from tests.pico import rows, write_rows

pytestmark = pytest.mark.e2e
END = {"merge/merged", "evaluate/merged", "feature/streaming", "report/report"}


def test_the_run_leaves_all_that_the_contract_names(finished: tuple[Product, str]) -> None:
    product, printed = finished
    expected = [
        "plan.json", "detected.json", "report.html", "logs/cot.log", "merged/model.safetensors",
        "merged/README.md", "merged/tokenizer.json", "merged/generation_config.json",
        "stages/cot/adapter/adapter_model.safetensors", "stages/cot/metrics.jsonl", "stages/cot/loss.svg",
        "stages/cot/manifest.json", "data/cot/manifest.json", "data/cot/held_out.jsonl",
        "data/cot/quarantine.jsonl", "evaluations/cot.json", "evaluations/merged.json",
        "evaluations/streaming.json",
    ]  # fmt: skip
    assert [name for name in expected if not (product.results / name).exists()] == []
    assert "held-out" in printed and "Traceback" not in printed
    assert not list(product.folder.glob("results/.store/*/work"))


def test_the_capabilities_got_better_on_held_out_data(finished: tuple[Product, str]) -> None:
    for stage in ("cot", "reasoning"):
        told = json.loads((finished[0].results / "evaluations" / f"{stage}.json").read_text())
        assert told["gain"]["low"] > 0 and told["samples"] == 40


def test_the_merged_model_loads_with_plain_transformers(finished: tuple[Product, str]) -> None:
    code = (
        "import sys; from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; "
        "p = sys.argv[1]\n"
        "m, t = M.from_pretrained(p), T.from_pretrained(p)\n"
        "c = [{'role': 'user', 'content': 'middle of 3 8 5'}]\n"
        "i = t.apply_chat_template(c, add_generation_prompt=True, return_tensors='pt', return_dict=True)\n"
        "print(t.decode(m.generate(**i, max_new_tokens=12, do_sample=False)[0]))\n"
        "assert not any(name.split('.')[0] == 'manus' for name in sys.modules)"
    )
    told = run([sys.executable, "-c", code, str(finished[0].results / "merged")], finished[0].folder).stdout
    assert "\\boxed{8}" in told


def test_no_path_and_no_host_is_in_a_manifest(finished: tuple[Product, str]) -> None:
    import socket

    found = list(finished[0].folder.glob("results/.store/*/manifest.json"))
    assert len(found) == 11
    for path in found:
        text = path.read_text()
        assert str(finished[0].folder) not in text and f'"{socket.gethostname()}"' not in text


def test_a_second_run_has_nothing_to_do(product: Product) -> None:
    assert "Nothing to be done" in product.snakemake().stderr
    assert set(product.plan().values()) == {"current"}
    assert product.dry_run() == set()


EDITS = {
    "a comment": ("epochs: 25", "epochs: 25 # more", set()),
    "the second stage's epochs": (
        "epochs: 25",
        "epochs: 24",
        {"train/reasoning", "evaluate/reasoning"} | END,
    ),
    "a stage at the end": (
        "gates:",
        "  - cot: {name: again, data: [{path: middle.jsonl}]}\ngates:",
        {"data/again", "train/again", "evaluate/again"} | END,
    ),
    "gates": ("min_gain: 0.2", "min_gain: 0.3", END),
}


OFTEN = ("a stage at the end", "gates")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in OFTEN else pytest.mark.exhaustive) for name in EDITS]
)
def test_dry_run_and_plan_agree(product: Product, name: str) -> None:
    old, new, expected = EDITS[name]
    product.edit(old, new)
    assert product.dry_run() == expected
    assert {artifact for artifact, action in product.plan().items() if action != "current"} == expected


def test_going_back_publishes_from_the_store_without_training(product: Product) -> None:
    before = digest(product.results / "merged")
    product.edit("epochs: 25", "epochs: 2")
    product.snakemake("reasoning")
    trained = manifest(product.results / "stages" / "reasoning")["key"]
    product.edit("epochs: 2", "epochs: 25")
    started = time.monotonic()
    product.snakemake()
    assert time.monotonic() - started < 30
    assert manifest(product.results / "stages" / "reasoning")["key"] != trained
    assert digest(product.results / "merged") == before
    assert set(product.plan().values()) == {"current"}


def test_a_second_recipe_shares_the_first_stages(product: Product) -> None:
    other = Product(product.folder, product.folder / "other.yaml")
    shutil.copy(product.recipe, other.recipe)
    other.edit("epochs: 25", "epochs: 2")
    assert other.plan()["train/cot"] == "publish"
    other.snakemake("cot")
    first, second = (p.results / "stages/cot/adapter/adapter_model.safetensors" for p in (product, other))
    assert first.stat().st_ino == second.stat().st_ino


@pytest.mark.parametrize(
    "harm", [pytest.param("truncated", marks=pytest.mark.exhaustive), "changed", "deleted view"]
)
def test_damaged_weights_are_rebuilt_to_the_same_bits(product: Product, harm: str) -> None:
    weights = product.results / "stages/reasoning/adapter/adapter_model.safetensors"
    before = digest(weights.parent)
    if harm == "deleted view":
        shutil.rmtree(product.results / "stages" / "reasoning")
    else:
        content = bytearray(weights.read_bytes())
        content[-1] ^= 0xFF
        with weights.open("r+b") as stream:
            stream.truncate(0)
            stream.write(content[:1000] if harm == "truncated" else content)
    plan = product.plan()
    assert product.dry_run() == {name for name, action in plan.items() if action != "current"}
    rebuilt = {name for name, action in plan.items() if action == "build"}
    assert rebuilt == (set() if harm == "deleted view" else {"train/reasoning"})
    product.snakemake()
    assert digest(weights.parent) == before
    assert set(product.plan().values()) == {"current"}


def test_a_failing_job_leaves_the_earlier_results(product: Product) -> None:
    before = digest(product.results)
    product.edit("epochs: 25", "epochs: 25\n      precision: fp16")
    done = product.snakemake(check=False)
    assert done.returncode != 0 and "fp16 needs a GPU" in done.stderr + done.stdout
    assert digest(product.results) == before
    assert (product.results / "merged" / "manifest.json").exists()


def test_the_merged_model_streams_what_it_says_at_once(finished: tuple[Product, str]) -> None:
    product, printed = finished
    told = json.loads((product.results / "evaluations" / "streaming.json").read_text())
    assert [(one["equal"], one["answers"]) for one in told["comparisons"]] == [(2, 2)] * 4
    assert [load["streams"] for load in told["loads"]] == [1, 8]
    assert "streaming: every streamed answer is the one that comes at once" in printed
    assert not (product.results / "stages" / "streaming").exists(), "nothing is trained for it"


BROKEN = (
    "import sys; from manus.cli.main import main; from manus.models.generation.text import Stream as S\n"
    "add = S.add; S.add = lambda self, token: add(self, token).replace('answer', 'answr')\n"
    "sys.argv = ['manus', 'merge', 'pico.yaml']; main()"
)


def test_streams_that_differ_keep_the_merged_model_back_until_they_do_not(product: Product) -> None:
    product.edit("questions: 2", "questions: 1")
    product.edit("gates: {reasoning: {min_gain: 0.2}}\n", "")
    done = run([sys.executable, "-c", BROKEN], product.folder, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "FAILED: streaming: 2 of 4 streamed answers are those that come at once" in done.stderr
    assert "merged/ was not published" in (product.results / "report.html").read_text()
    product.manus("merge", "pico.yaml")
    assert product.plan()["report/report"] == "build", "it shows what was measured before"
    assert json.loads((product.results / "evaluations" / "streaming.json").read_text())["is_equal"]
    assert product.plan()["merge/merged"] == "current"


def test_a_failing_gate_stops_the_merge_with_the_numbers(product: Product) -> None:
    before = manifest(product.results / "merged")["key"]
    product.edit("reasoning: {min_gain: 0.2}", "cot: {min_gain: 1.0}")
    done = product.snakemake(check=False)
    assert done.returncode != 0
    assert "FAILED: cot: min_gain is" in done.stderr + done.stdout
    assert "merged/ was not published" in (product.results / "report.html").read_text()
    assert manifest(product.results / "merged")["key"] == before
    product.edit("cot: {min_gain: 1.0}", "reasoning: {min_gain: 0.01}")
    product.snakemake()
    assert set(product.plan().values()) == {"current"}


TARGETS = [
    "merged",
    "detected",
    "cot",
    *(f"results/pico/{path}" for path in ("stages/cot/loss.svg", "merged", "report.html")),
]


def test_every_name_and_path_is_a_target(product: Product) -> None:
    """All in one call: Snakemake refuses a call of which it does not know one name."""
    assert "Nothing to be done" in product.snakemake(*TARGETS).stderr
    shutil.rmtree(product.folder / "results" / "pico")
    jobs = product.snakemake("-n", *TARGETS).stdout
    assert "Job " in jobs and "in the store" in jobs


@pytest.mark.exhaustive
@pytest.mark.parametrize("target", TARGETS)
def test_every_name_and_path_is_a_target_by_itself(product: Product, target: str) -> None:
    shutil.rmtree(product.folder / "results" / "pico")
    jobs = product.snakemake("-n", target).stdout
    assert "Job " in jobs and "in the store" in jobs


def test_a_path_target_builds_only_what_it_needs(product: Product) -> None:
    shutil.rmtree(product.folder / "results")
    product.snakemake("results/pico/data/cot/held_out.jsonl")
    assert (product.results / "data/cot/held_out.jsonl").exists()
    assert not (product.results / "stages").exists()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("epoch=3", "did you mean 'epochs'"),
        ("epochs=0", "epochs"),
        ("training_method=lorra", "did you mean 'lora'"),
    ],
)
def test_wrong_config_is_refused(product: Product, config: str, words: str) -> None:
    done = product.snakemake("-n", config=config, check=False)
    assert done.returncode == 2
    assert words in done.stderr and "Traceback" not in done.stderr


def test_overrides_reach_the_jobs(product: Product) -> None:
    product.snakemake("cot", config="epochs=1 sample_size=50")
    made = manifest(product.results / "stages" / "cot")
    assert made["made_from"]["training"]["epochs"] == 1.0
    assert made["metrics"]["steps"] == 4


def test_a_broken_recipe_writes_nothing(product: Product, tmp_path: Path) -> None:
    shutil.rmtree(product.folder / "results")
    product.edit("method: lora", "method: loro")
    done = product.snakemake(check=False)
    assert done.returncode == 2 and "pico.yaml:2: defaults.method" in done.stderr
    assert not (product.folder / "results").exists()


def test_why_names_the_changed_data_file(product: Product) -> None:
    write_rows(product.folder / "middle.jsonl", rows("middle", 341))
    told = product.manus("why", "pico.yaml", "reasoning").stdout
    assert "the content of middle.jsonl changed" in told


def test_snakemakes_own_report_works(product: Product) -> None:
    product.snakemake("--report=snakemake.html")
    assert (product.folder / "snakemake.html").stat().st_size > 100_000
