"""Signals and kills: the next run goes on, and ends in the bits of a run that nobody disturbed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from manus.errors import EXIT_INTERRUPTED
from tests.e2e.product import Product, digest, environment

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]


def training(product: Product) -> subprocess.Popen[str]:
    """Start to train the second stage and return when it is under way."""
    process = subprocess.Popen(
        [sys.executable, "-m", "manus", "stage", product.recipe.name, "reasoning"],
        cwd=product.folder, env=environment(product.folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "train reasoning" in line and "steps" in line:
            break
    return process


@pytest.mark.parametrize("method", ["lora", "sft"])
def test_any_kill_ends_in_the_same_bits(product: Product, method: str) -> None:
    rate = "5e-3" if method == "lora" else "1e-3"
    product.edit("epochs: 25", f"epochs: 14\n      method: {method}\n      learning_rate: {rate}")
    product.edit("guards: {", "guards: {checkpoint_every_steps: 7, ")
    if method == "lora":
        product.edit("epochs: 14", "epochs: 14\n      dropout: 0.1\n      gradient_accumulation: 2")
    product.manus("stage", product.recipe.name, "reasoning")
    undisturbed = digest(product.results / "stages" / "reasoning")
    for folder in product.folder.glob("results/.store/*"):
        if (folder / "manifest.json").exists() and '"name": "reasoning"' in (folder / "manifest.json").read_text():
            subprocess.run(["rm", "-rf", str(folder)], check=True)
    draw = random.Random(0)
    signals = [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGINT]
    ended = []
    for number in signals:
        process = training(product)
        time.sleep(draw.uniform(0.2, 0.8))
        process.send_signal(number)
        rest = process.communicate(timeout=120)[0]
        ended.append(process.returncode)
        assert "Traceback" not in rest
        if process.returncode == 0:
            break
        assert process.returncode == (-9 if number == signal.SIGKILL else EXIT_INTERRUPTED), rest
    assert EXIT_INTERRUPTED in ended, "no signal met a running stage"
    product.manus("stage", product.recipe.name, "reasoning")
    assert digest(product.results / "stages" / "reasoning") == undisturbed


def test_ctrl_c_in_snakemake_saves_and_the_next_run_goes_on(product: Product) -> None:
    product.edit("epochs: 25", "epochs: 40")
    import os

    from tests.e2e.product import BIN, ROOT

    command = [
        str(BIN / "snakemake"),
        "-s",
        str(ROOT / "Snakefile"),
        "--cores",
        "1",
        "--config",
        f"recipe={product.recipe.name}",
    ]
    process = subprocess.Popen(
        [*command, "--", "reasoning"], cwd=product.folder, env=environment(product.folder), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "train reasoning" in line and "steps" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    rest = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert "the next run continues" in rest
    saved = list(product.folder.glob("results/.store/*/work/checkpoint-*"))
    assert len(saved) == 1
    done = product.snakemake("reasoning")
    assert f"continuing from {saved[0].name}" in done.stderr + done.stdout
