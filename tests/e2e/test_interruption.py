"""Signals and kills: the next run goes on, and ends in the bits of a run that nobody disturbed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

from manus.errors import EXIT_INTERRUPTED
from tests.e2e.product import BIN, ROOT, Product, digest, environment

pytestmark = pytest.mark.e2e


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
    process = snakemake_started(product)
    os.killpg(process.pid, signal.SIGINT)
    rest = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert "the next run continues" in rest
    saved = list(product.folder.glob("results/.store/*/work/checkpoint-*"))
    assert len(saved) == 1
    done = product.snakemake("reasoning")
    assert f"continuing from {saved[0].name}" in done.stderr + done.stdout


def snakemake_started(product: Product) -> subprocess.Popen[str]:
    """Start the whole recipe in a session of its own and return when the second stage trains."""
    process = subprocess.Popen(
        [str(BIN / "snakemake"), "-s", str(ROOT / "Snakefile"), "--cores", "1", "--config", f"recipe={product.recipe.name}"],
        cwd=product.folder, env=environment(product.folder), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "train reasoning" in line and "steps" in line:
            break
    return process


def trainers(product: Product) -> list[psutil.Process]:
    """The living processes of ours that work in the product's folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if "manus" in (process.info["cmdline"] or []) and process.cwd() == str(product.folder):
                found.append(process)
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def test_killing_snakemake_leaves_no_orphan_and_the_next_plain_run_goes_on(product: Product) -> None:
    product.edit("epochs: 25", "epochs: 60")
    process = snakemake_started(product)
    assert trainers(product)
    process.kill()
    process.wait()
    ends_at = time.monotonic() + 30
    while trainers(product) and time.monotonic() < ends_at:
        time.sleep(0.1)
    assert not trainers(product)
    done = product.snakemake()
    assert "continuing from checkpoint-" in done.stderr + done.stdout
    assert (product.results / "report.html").exists()


def test_sigterm_to_snakemake_reaches_the_trainer(product: Product) -> None:
    product.edit("epochs: 25", "epochs: 60")
    process = snakemake_started(product)
    process.terminate()
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "SIGTERM while training reasoning" in rest and "the next run continues" in rest
    assert not trainers(product)
    assert "continuing from checkpoint-" in product.snakemake("reasoning").stdout


def test_usr_signals_to_snakemakes_group_only_pause(product: Product) -> None:
    product.edit("epochs: 25", "epochs: 60")
    process = snakemake_started(product)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        process.send_signal(number)  # Snakemake alone: nothing happens
        os.killpg(process.pid, number)
    assert process.stdout is not None
    for line in process.stdout:
        if "Checkpoint saved" in line:
            break
    else:
        raise AssertionError("no checkpoint was saved")
    os.killpg(process.pid, signal.SIGUSR1)
    rest = process.communicate(timeout=200)[0]
    assert process.returncode == 0, rest
    assert "Resumed at step" in rest


def test_two_snakemakes_share_one_recipe(product: Product) -> None:
    product.edit("epochs: 25", "epochs: 30")
    first = snakemake_started(product)
    second = product.snakemake()
    rest = first.communicate(timeout=200)[0]
    assert first.returncode == 0, rest
    told = second.stdout + second.stderr
    assert "is building" in told and "waiting: process" in told
    assert "train/reasoning  built" in rest and "train/reasoning  published from the store" in told


@pytest.mark.parametrize("moment", ["● detect", "Finished job", "● data"])
def test_sigterm_just_as_a_job_ends_ends_snakemake(product: Product, moment: str) -> None:
    process = subprocess.Popen(
        [str(BIN / "snakemake"), "-s", str(ROOT / "Snakefile"), "--cores", "1", "--config", f"recipe={product.recipe.name}"],
        cwd=product.folder, env=environment(product.folder), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert any(moment in line for line in process.stdout)
    process.terminate()
    rest = process.communicate(timeout=120)[0]
    assert process.returncode == 1, rest
    assert "Traceback" not in rest
    assert not trainers(product)
