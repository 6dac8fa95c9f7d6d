"""Signals and kills: the next run goes on, and ends in the bits of a run that nobody disturbed."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time

import psutil
import pytest

from manus.errors import EXIT_INTERRUPTED
from tests.e2e.product import Product, Run, digest

pytestmark = pytest.mark.e2e


def is_training(run: Run) -> bool:
    """Tell whether the second stage is under way."""
    return any("train reasoning" in line and "steps" in line for line in run.output.splitlines())


def training(product: Product) -> Run:
    """Start to train the second stage and return when it is under way."""
    run = product.start("stage", product.recipe.name, "reasoning")
    run.until(lambda: is_training(run), "the training")
    return run


SIGNALS = {
    "lora": [signal.SIGKILL, signal.SIGTERM, signal.SIGINT],
    "sft": [signal.SIGKILL, signal.SIGTERM],
}


@pytest.mark.parametrize("method", ["lora", pytest.param("sft", marks=pytest.mark.exhaustive)])
def test_any_kill_ends_in_the_same_bits(product: Product, method: str) -> None:
    rate = "5e-3" if method == "lora" else "1e-3"
    product.edit("epochs: 25", f"epochs: 14\n      method: {method}\n      learning_rate: {rate}")
    product.edit("guards: {", "guards: {checkpoint_every_steps: 7, ")
    if method == "lora":
        product.edit("epochs: 14", "epochs: 14\n      dropout: 0.1\n      gradient_accumulation: 2")
    product.manus("stage", product.recipe.name, "reasoning")
    undisturbed = digest(product.results / "stages" / "reasoning")
    for folder in product.folder.glob("results/.store/*"):
        if (folder / "manifest.json").exists() and '"name": "reasoning"' in (
            folder / "manifest.json"
        ).read_text():
            subprocess.run(["rm", "-rf", str(folder)], check=True)
    draw = random.Random(0)
    ended = []
    for number in SIGNALS[method]:
        run = training(product)
        time.sleep(draw.uniform(0.2, 0.8))
        run.process.send_signal(number)
        ended.append(run.wait())
        assert "Traceback" not in run.output
        if ended[-1] == 0:
            break
        assert ended[-1] == (-9 if number == signal.SIGKILL else EXIT_INTERRUPTED), run.output
    assert EXIT_INTERRUPTED in ended, "no signal met a running stage"
    product.manus("stage", product.recipe.name, "reasoning")
    assert digest(product.results / "stages" / "reasoning") == undisturbed


def snakemake_started(product: Product, *targets: str) -> Run:
    """Start the whole recipe, or what it needs for targets, and return when the second stage trains."""
    run = product.start_snakemake(*targets)
    run.until(lambda: is_training(run), "the training")
    return run


def trainers(product: Product) -> list[psutil.Process]:
    """The living processes of ours that work in the product's folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if "manus" in (process.info["cmdline"] or []) and process.cwd() == str(product.folder):
                found.append(process)
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def test_whatever_ends_snakemake_leaves_no_orphan_and_the_next_run_goes_on(product: Product) -> None:
    product.edit("epochs: 25", "epochs: 24")
    run = snakemake_started(product)
    os.killpg(run.process.pid, signal.SIGINT)  # Ctrl-C
    assert run.wait() != 0
    assert "the next run continues" in run.output
    (saved,) = product.folder.glob("results/.store/*/work/checkpoint-*")

    run = snakemake_started(product)
    run.process.terminate()
    assert run.wait() == 1
    assert f"continuing from {saved.name}" in run.output
    assert "SIGTERM while training reasoning" in run.output and "the next run continues" in run.output
    assert not trainers(product)

    run = snakemake_started(product)
    assert trainers(product)
    run.process.kill()
    run.process.wait()
    run.until(lambda: not trainers(product), "the end of the trainer")
    done = product.snakemake()
    assert "continuing from checkpoint-" in done.stderr + done.stdout
    assert (product.results / "report.html").exists()


def test_usr_signals_to_snakemakes_group_only_pause(product: Product) -> None:
    product.edit("epochs: 25", "epochs: 24")
    run = snakemake_started(product, "reasoning")
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        run.process.send_signal(number)  # Snakemake alone: nothing happens
        os.killpg(run.process.pid, number)
    run.until(lambda: "Checkpoint saved" in run.output, "a checkpoint")
    os.killpg(run.process.pid, signal.SIGUSR1)
    assert run.wait() == 0, run.output
    assert "Resumed at step" in run.output


def test_two_snakemakes_share_one_recipe(product: Product) -> None:
    product.edit("epochs: 25", "epochs: 30")
    first = snakemake_started(product, "reasoning")
    second = product.snakemake("reasoning")
    assert first.wait() == 0, first.output
    told = second.stdout + second.stderr
    assert "is building" in told and "waiting: process" in told
    assert "train/reasoning  built" in first.output and "train/reasoning  published from the store" in told


@pytest.mark.parametrize("moment", ["● detect", "● detect.*Select jobs", "● data"])
def test_sigterm_just_as_a_job_ends_ends_snakemake(product: Product, moment: str) -> None:
    shutil.rmtree(product.folder / "results")  # the fixture's product is built already
    run = product.start_snakemake()
    run.until(lambda: re.search(moment, run.output, re.DOTALL), moment)
    run.process.terminate()
    assert run.wait() == 1, run.output
    assert "Traceback" not in run.output
    assert not trainers(product)
