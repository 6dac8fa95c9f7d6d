"""A recipe with pairs of its own answers, a reward model, a teacher, a user's function, from end to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.product import Product, digest
from tests.pico import pairs, rows, write_rows

pytestmark = pytest.mark.e2e

RECIPE = """\
base_model: base
trust: local-code
defaults: {method: lora, epochs: 1, batch_size: 16, learning_rate: 2e-3, held_out: 40, max_length: 64, precision: fp32}
reward_models:
  judge: {data: [{path: pairs.jsonl}], held_out: 40, batch_size: 16, epochs: 8, learning_rate: 2e-3, max_length: 64, precision: fp32}
capabilities:
  - cot: {data: [{path: first.jsonl}], epochs: 2, probe: {max_new_tokens: 12}}
  - cot:
      name: preferred
      method: dpo
      data: [{path: first.jsonl}]
      sample_size: 80
      on_policy: {samples_per_prompt: 8, max_new_tokens: 12}
      probe: {max_new_tokens: 12}
  - cot:
      name: rewarded
      method: grpo
      data: [{path: first.jsonl}]
      sample_size: 40
      max_new_tokens: 12
      batch_size: 32
      rewards:
        - {verifier: capability}
        - {verifier: python, weight: 0.1, options: {file: mine.py, function: short}}
        - {verifier: reward-model, weight: 0.1, options: {model: judge}}
      probe: {max_new_tokens: 12}
  - cot:
      name: kept
      method: distillation
      teacher: cot
      data: [{path: first.jsonl}]
      sample_size: 64
      probe: {max_new_tokens: 12}
guards: {cooldown_every_steps: 0}
"""
MINE = (
    "def short(completion, **others):\n"
    "    print('a word to the terminal')\n"
    "    return float(len(completion) < 40)\n"
)


@pytest.fixture(scope="module")
def aligned(undecided_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Product:
    folder = tmp_path_factory.mktemp("aligned")
    shutil.copytree(undecided_base, folder / "base")
    write_rows(folder / "first.jsonl", rows("first", 300))
    write_rows(folder / "pairs.jsonl", pairs("first", 300))
    (folder / "mine.py").write_text(MINE)
    recipe = folder / "aligned.yaml"
    recipe.write_text(RECIPE)
    product = Product(folder, recipe)
    product.snakemake()
    return product


def test_everything_is_there_and_shown(aligned: Product) -> None:
    results = aligned.results
    expected = [
        "pairs/preferred/pairs.jsonl",
        "pairs/preferred/statistics.json",
        "reward_models/judge/model/model.safetensors",
        "reward_models/judge/loss.svg",
        "stages/rewarded/completions.jsonl",
        "stages/preferred/charts/margins.svg",
        "stages/rewarded/charts/rewards.svg",
        "merged/model.safetensors",
    ]
    assert [name for name in expected if not (results / name).exists()] == []
    manifest = json.loads((results / "reward_models" / "judge" / "manifest.json").read_text())
    assert manifest["metrics"]["accuracy"] > 0.6
    told = json.loads((results / "stages" / "rewarded" / "completions.jsonl").read_text().splitlines()[0])
    assert set(told["rewards"]) == {"capability", "python", "reward-model"}


def test_nothing_is_left_to_do_and_both_plans_agree(aligned: Product) -> None:
    assert set(aligned.plan().values()) == {"current"}
    assert aligned.dry_run() == set()


def test_an_edit_builds_what_it_alters(aligned: Product, tmp_path: Path) -> None:
    import subprocess

    subprocess.run(["cp", "-a", f"{aligned.folder}/.", str(tmp_path)], check=True)
    product = Product(tmp_path, tmp_path / "aligned.yaml")

    def built() -> set[str]:
        return {name for name, action in product.plan().items() if action == "build"}

    after = {"merge/merged", "evaluate/merged", "report/report"}
    later = {"train/kept", "evaluate/kept", *after}
    rewarded = {"train/rewarded", "evaluate/rewarded", *later}
    (tmp_path / "mine.py").write_text(MINE.replace("40", "50"))
    assert built() == rewarded
    (tmp_path / "mine.py").write_text(MINE)
    product.edit("held_out: 40, batch_size: 16, epochs: 8", "held_out: 40, batch_size: 16, epochs: 9")
    assert built() == {"reward/judge", *rewarded}
    product.edit("held_out: 40, batch_size: 16, epochs: 9", "held_out: 40, batch_size: 16, epochs: 8")
    product.edit("on_policy: {samples_per_prompt: 8", "on_policy: {samples_per_prompt: 6")
    assert built() == {"pairs/preferred", "train/preferred", "evaluate/preferred", *rewarded}
    product.edit("on_policy: {samples_per_prompt: 6", "on_policy: {samples_per_prompt: 8")
    product.edit("trust: local-code\n", "")
    refused = product.manus("validate", "aligned.yaml", check=False)
    assert refused.returncode == 2 and "trust: local-code" in refused.stderr + refused.stdout


def test_a_reward_that_fails_too_often_stops_the_stage_and_loses_nothing(
    aligned: Product, tmp_path: Path
) -> None:
    import subprocess

    subprocess.run(["cp", "-a", f"{aligned.folder}/.", str(tmp_path)], check=True)
    product = Product(tmp_path, tmp_path / "aligned.yaml")
    before = digest(product.results / "merged")
    (tmp_path / "mine.py").write_text("def short(completion, **others):\n    return float('nan')\n")
    done = product.manus("stage", "aligned.yaml", "rewarded", check=False)
    assert done.returncode == 2
    told = done.stdout + done.stderr
    assert "python" in told and "nan" in told and "Traceback" not in told
    assert digest(product.results / "merged") == before
