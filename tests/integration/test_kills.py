"""Kill -9 at random moments, again and again: every method ends in the bits of an undisturbed run."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

import pytest

from manus.guards.checkpoint import checkpoints
from manus.methods import known_methods
from tests.integration.stage import job, prepared, prepared_with_media
from tests.pico import pairs, rows
from tests.pico_omni import with_senses

MOST_KILLS = 10
KILLS = pytest.mark.parametrize("kills", [4, pytest.param(MOST_KILLS, marks=pytest.mark.exhaustive)])
LATEST_KILL_SECONDS = 0.06  # after a new checkpoint: two or three steps

# What makes continuing hard: dropout, an unfinished accumulation, warmup, a schedule, several epochs and a
# half, packed rows.
HARD = {"epochs": 6.5, "batch_size": 8, "gradient_accumulation": 2, "warmup": 0.2, "scheduler": "cosine"}
ADAPTER = {**HARD, "dropout": 0.1, "rank": 4}
PACKED = {"packing": True, "epochs": 8, "batch_size": 2}
SETTINGS = {
    "sft": {**HARD, "learning_rate": 1e-3, **PACKED},
    "lora": ADAPTER,
    "dora": ADAPTER,
    "qlora": {**ADAPTER, **PACKED},
    "cpt": {**ADAPTER, **PACKED, "adapter": "lora"},
    "dpo": {**ADAPTER, "epochs": 3.5, "adapter": "lora"},
    "orpo": {**HARD, "epochs": 4.5, "adapter": "none", "learning_rate": 1e-3},
    # Rounds of answers outlast optimizer steps, so that kills come between a round and its last use.
    "grpo": {
        **ADAPTER,
        "epochs": 0.6,
        "batch_size": 4,
        "updates_per_generation": 2,
        "iterations": 2,
        "group_size": 4,
        "max_new_tokens": 12,
        "kl_coefficient": 0.05,
    },
    "ppo": {
        **ADAPTER,
        "epochs": 0.8,
        "batch_size": 4,
        "rollout_size": 16,
        "passes": 3,
        "max_new_tokens": 12,
        "kl_target": 1.0,
        "kl_horizon": 50,
    },
    "distillation": {
        **ADAPTER,
        "epochs": 3.5,
        "adapter": "dora",
        "on_policy_share": 0.5,
        "max_new_tokens": 12,
    },
}
# Batches of pictures, of clips, of sounds and, for lora, of text; with and without what encoders make of them
# kept on disk.
OF_SENSES = {
    "alignment": {**HARD, "epochs": 9.5, "batch_size": 4, "learning_rate": 1e-3, "cache_features": False},
    "lora": {**ADAPTER, "epochs": 15, "batch_size": 2, "packing": True},
}
METHODS = [name for name, method in known_methods().items() if not method.NEEDS_SENSES]

# Children are forked from a server that has imported the libraries: a start costs a fraction of a second.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    [
        "manus.training.trainers.preference",
        "manus.training.trainers.grpo",
        "manus.training.trainers.ppo",
        "manus.training.trainers.distillation",
        "tests.integration.stage",
    ]
)


def train(base: Path, data: Path, folder: Path, method: str, settings: dict[str, Any]) -> None:
    """Train one stage in this process, with a checkpoint each third step; media are decoded in two others."""
    from manus.guards.requests import REQUESTS
    from manus.guards.run import RUN
    from manus.guards.settings import GuardSettings

    REQUESTS.listen()
    order = job(base, data, folder, method, teacher=(base, ()), **settings)
    guards = GuardSettings(checkpoint_every_steps=3, cooldown_every_steps=0, decoding_processes=2)
    with RUN.of(order.work, guards, "starting"):
        known_methods()[method].train(order)
    (folder / "done").touch()


def weights(folder: Path) -> dict[str, str]:
    files = sorted((folder / "staging").rglob("*.safetensors"))
    assert files
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def logged(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "staging" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@KILLS
@pytest.mark.parametrize("method", METHODS)
def test_kills_end_in_the_same_bits(
    pico_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, kills: int
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    texts = [{"text": f"{number} {number} {number} {number}"} for number in range(200)]
    kind = known_methods()[method].SAMPLE_KINDS[0]
    given = {"text": texts, "preference": pairs("first", 200)}.get(kind, rows("first", 200))
    data = prepared(pico_base, tmp_path / "data", given, kind=kind)
    kills_change_nothing(pico_base, data, tmp_path, method, SETTINGS.get(method, HARD), kills)


@KILLS
@pytest.mark.parametrize("method", sorted(OF_SENSES))
def test_kills_end_in_the_same_bits_with_media(
    pico_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, kills: int
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    base = with_senses(pico_base, tmp_path)
    data = prepared_with_media(base, tmp_path / "data")
    kills_change_nothing(base, data, tmp_path, method, OF_SENSES[method], kills)


def kills_change_nothing(
    base: Path, data: Path, tmp_path: Path, method: str, settings: dict[str, Any], kills: int
) -> None:
    """Run once undisturbed, and once with kills at random moments; compare weights and logs."""
    draw = random.Random(method)

    def start(folder: Path) -> Any:
        child = processes.Process(target=train, args=(base, data, folder, method, settings))
        child.start()
        return child

    undisturbed = start(tmp_path / "undisturbed")
    undisturbed.join()
    assert undisturbed.exitcode == 0
    killed, continued = 0, set()
    while killed < kills:
        child = start(tmp_path / "killed")
        # Each attempt gets some checkpoints further, so that the kills spread over the run, or to its end.
        wanted = len(continued) + MOST_KILLS // kills
        while child.is_alive() and len(continued) < wanted:
            continued |= {path.name for path in checkpoints(tmp_path / "killed" / "work")}
            time.sleep(0.005)
        time.sleep(draw.uniform(0, LATEST_KILL_SECONDS))
        child.kill()
        child.join()
        killed += child.exitcode == -9
        if (tmp_path / "killed" / "done").exists():
            break
    if not (tmp_path / "killed" / "done").exists():
        last = start(tmp_path / "killed")
        last.join()
        assert last.exitcode == 0
    assert killed >= kills, f"only {killed} kills met the run"
    assert weights(tmp_path / "killed") == weights(tmp_path / "undisturbed")
    assert logged(tmp_path / "killed") == logged(tmp_path / "undisturbed")
