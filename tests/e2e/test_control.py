"""Pausing, saving and stopping a real run: by signals, by commands, and with several ranks."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from manus.errors import EXIT_INTERRUPTED
from tests.e2e.conftest import copied
from tests.e2e.product import Product, Run, digest

pytestmark = pytest.mark.e2e

STORM_SECONDS = 12  # the first few of them before the first step


def statuses(product: Product) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(product.manus("status", "--json").stdout)
    return found


def steps(product: Product) -> int:
    """The step in the newest status of the run, read from its file."""
    for path in product.folder.glob("results/.store/*/work/status.json"):
        told = json.loads(path.read_text())
        if told["state"] in ("training", "paused"):
            return int(told.get("step", 0))
    return 0


EPOCHS = "epochs: 25", "epochs: 20"  # of the finished product, and of runs that are disturbed


@pytest.fixture(scope="module")
def undisturbed(finished: tuple[Product, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The weights of a run of EPOCHS that nobody disturbed, in a folder of its own."""
    product = copied(finished[0], tmp_path_factory.mktemp("undisturbed"))
    product.edit(*EPOCHS)
    product.manus("stage", product.recipe.name, "reasoning")
    return digest(product.results / "stages" / "reasoning")


def forget(product: Product) -> None:
    for path in product.folder.glob("results/.store/*/manifest.json"):
        if '"name": "reasoning"' in path.read_text() and '"kind": "train"' in path.read_text():
            subprocess.run(["rm", "-rf", str(path.parent)], check=True)


def test_signals_and_commands_pause_save_and_stop_to_the_same_bits(
    product: Product, undisturbed: dict[str, str]
) -> None:
    product.edit(*EPOCHS)
    arguments = ("stage", product.recipe.name, "reasoning")
    run = product.start(*arguments)
    run.until(lambda: steps(product), "the first step")
    run.process.send_signal(signal.SIGUSR1)
    run.until(lambda: "Paused at step" in run.output, "the pause")
    (told,) = statuses(product)
    assert (told["state"], told["reason"], told["stage"]) == ("paused", "asked by SIGUSR1", "reasoning")
    assert told["since"] and told["pid"] == run.process.pid
    paused_at = told["step"]
    run.process.send_signal(signal.SIGUSR2)
    run.until(lambda: f"Checkpoint saved: {'results/.store/'}" in run.output, "a checkpoint while paused")
    assert list(product.folder.glob(f"results/.store/*/work/checkpoint-{paused_at}/sealed.json"))
    assert steps(product) == paused_at, "a paused run went on"
    assert "is paused already" in product.manus("pause").stdout
    assert "goes on" in product.manus("resume", "reasoning").stdout
    assert "is paused at step" in product.manus("pause", str(run.process.pid)).stdout
    run.process.send_signal(signal.SIGTERM)
    assert run.wait() == EXIT_INTERRUPTED
    assert "the next run continues" in run.output
    assert statuses(product) == []
    refused = product.manus("resume", check=False)
    assert (refused.returncode, refused.stderr) == (2, "nothing of yours runs on this machine\n")
    done = product.manus(*arguments)
    assert "continuing from checkpoint-" in done.stdout
    assert digest(product.results / "stages" / "reasoning") == undisturbed


def test_a_storm_of_signals_changes_nothing(product: Product, undisturbed: dict[str, str]) -> None:
    product.edit(*EPOCHS)
    run = product.start("stage", product.recipe.name, "reasoning")
    run.until(lambda: "training the stage" in run.output, "the start")
    started_at = time.monotonic()
    turn = 0
    while run.process.poll() is None and not (
        steps(product) and time.monotonic() - started_at > STORM_SECONDS
    ):
        turn += 1
        run.process.send_signal(signal.SIGUSR2 if turn % 5 == 4 else signal.SIGUSR1)
        time.sleep(0.05)
    if any(told["state"] == "paused" for told in statuses(product)):
        product.manus("resume")
    assert run.wait() == 0, run.output
    assert "Paused" in run.output and "Checkpoint saved" in run.output
    assert digest(product.results / "stages" / "reasoning") == undisturbed


def ranks_of(launcher: Run) -> list[psutil.Process]:
    workers = psutil.Process(launcher.process.pid).children(recursive=True)
    return sorted(
        (worker for worker in workers if "RANK" in worker.environ()),
        key=lambda worker: worker.environ()["RANK"],
    )


def test_a_signal_to_any_rank_or_to_the_launcher_reaches_all_at_the_same_step(product: Product) -> None:
    product.edit("epochs: 25", "epochs: 12")
    arguments = ("stage", product.recipe.name, "reasoning", "--ranks", "2")
    product.manus(*arguments)
    undisturbed = digest(product.results / "stages" / "reasoning")
    forget(product)
    launcher = product.start(*arguments)
    launcher.until(lambda: steps(product), "the first step")
    senders = [ranks_of(launcher)[1], launcher.process, ranks_of(launcher)[0]]
    for count, sender in enumerate(senders, 1):
        sender.send_signal(signal.SIGUSR1)
        launcher.until(lambda count=count: launcher.output.count("Paused at step") == count, f"pause {count}")
        at = steps(product)
        time.sleep(0.5)
        assert steps(product) == at, "a rank went on"
        senders[-count].send_signal(signal.SIGUSR1)
        launcher.until(
            lambda count=count: launcher.output.count("Resumed at step") == count, f"resume {count}"
        )
    ranks_of(launcher)[1].send_signal(signal.SIGUSR2)
    launcher.until(lambda: "Checkpoint saved" in launcher.output, "a checkpoint of both")
    (saved,) = product.folder.glob("results/.store/*/work/checkpoint-*")
    assert {path.name for path in saved.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    launcher.process.send_signal(signal.SIGTERM)
    assert launcher.wait() == EXIT_INTERRUPTED, launcher.output
    refused = product.manus(*arguments[:3], check=False)
    assert refused.returncode == 2 and "was saved by 2 rank(s), this run has 1" in refused.stderr
    done = product.manus(*arguments)
    assert "continuing from" in done.stdout
    assert digest(product.results / "stages" / "reasoning") == undisturbed


def test_ranks_die_with_their_launcher(product: Product) -> None:
    product.edit("epochs: 25", "epochs: 60")
    launcher = product.start("stage", product.recipe.name, "reasoning", "--ranks", "2")
    launcher.until(lambda: steps(product), "the first step")
    workers = ranks_of(launcher)
    assert len(workers) >= 2
    launcher.process.kill()
    launcher.process.wait()
    launcher.until(
        lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers),
        "their end",
    )


STUB = Path(__file__).with_name("nvml_stub.c")


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose lines are what a stub of NVIDIA's library says of GPUs; real bindings load the stub."""
    folder = tmp_path / "nvml"
    folder.mkdir()
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(STUB)], check=True)
    readings = folder / "readings.txt"
    readings.write_text("temperature 60\n")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    monkeypatch.setenv("NVML_STUB_READINGS", str(readings))
    return readings


def test_heat_pauses_and_a_lost_gpu_stops_nothing(product: Product, gpu: Path) -> None:
    product.edit("epochs: 25", "epochs: 13")
    gpu.write_text("temperature 90\n")
    run = product.start("stage", product.recipe.name, "reasoning")
    run.until(
        lambda: "Paused at step 1... (it is too hot: 90 °C, resumes below 75 °C)" in run.output, "the pause"
    )
    (told,) = statuses(product)
    assert (told["state"], told["temperature"]) == ("paused", 90.0)
    gpu.write_text("temperature 80\n")
    time.sleep(3)
    assert statuses(product)[0]["state"] == "paused", "80 degrees are not below 75"
    gpu.write_text("temperature 70\n")
    run.until(lambda: "Resumed at step 1" in run.output, "going on")
    gpu.write_text("error 15\n")  # NVML_ERROR_GPU_IS_LOST
    assert run.wait() == 0, run.output
    assert run.output.count("the GPU's temperature cannot be read") == 1


def test_heat_that_lasts_saves_and_ends(product: Product, gpu: Path) -> None:
    product.edit("epochs: 25", "epochs: 4")
    product.edit("guards: {", "guards: {max_wait_minutes: 0.05, ")
    gpu.write_text("temperature 99\n")
    run = product.start("stage", product.recipe.name, "reasoning")
    assert run.wait() == EXIT_INTERRUPTED, run.output
    assert "too hot for 0.05 min" in run.output
    assert list(product.folder.glob("results/.store/*/work/checkpoint-1/sealed.json"))
    gpu.write_text("temperature 50\n")
    assert "continuing from checkpoint-1" in product.manus("stage", product.recipe.name, "reasoning").stdout


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that holds two checkpoints of the pico model, where it may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
    ).returncode:
        pytest.skip("no right to mount a small disk here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("answer", ["more room", "a signal"])
def test_a_full_disk_pauses_and_loses_nothing(product: Product, small_disk: Path, answer: str) -> None:
    product.edit("epochs: 25", "epochs: 8")
    product.edit("guards: {", "guards: {checkpoint_every_steps: 20, ")
    arguments = ("stage", product.recipe.name, "reasoning")
    run = product.start(*arguments, MANUS_CHECKPOINT_DIR=str(small_disk))
    run.until(lambda: "Paused: the disk is full" in run.output, "the pause")
    assert list(small_disk.glob("*/checkpoint-*/sealed.json")), "the full disk took the earlier checkpoint"
    if answer == "a signal":
        run.process.send_signal(signal.SIGTERM)
        assert run.wait() == EXIT_INTERRUPTED, run.output
        assert "the disk is full, so the next run continues from the last checkpoint" in run.output
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    if answer == "a signal":
        run = product.start(*arguments, MANUS_CHECKPOINT_DIR=str(small_disk))
    assert run.wait() == 0, run.output
    assert ("continuing from checkpoint-" in run.output) == (answer == "a signal")
