"""Prepares data for the pico model and runs one stage in this process, as the runner does in its own."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from manus.capabilities import known_capabilities
from manus.data.preparation.choosing import prepare
from manus.data.prepared.samples import read_held_out
from manus.data.sample import SampleKind
from manus.data.settings import DataSettings, Source
from manus.errors import Interrupted
from manus.evaluation.probes import Probe, gain, measure
from manus.guards.requests import REQUESTS
from manus.guards.run import RUN
from manus.guards.settings import GuardSettings
from manus.jobs.rows import reader_of
from manus.models.loading.composition import Trained, compose
from manus.models.omni.layout import MediaLayout
from manus.models.tokenizer import load_tokenizer
from manus.recipe.recipe import METHODS
from manus.recipe.stage import Stage
from manus.rewards.settings import RewardSettings
from manus.training.stage_job import StageJob
from tests.pico import rows, write_rows
from tests.seeds import SEED

cot, vision_qa = (known_capabilities()[name] for name in ("cot", "vision-qa"))

LEARNS = {"epochs": 10, "batch_size": 16, "learning_rate": 5e-3, "precision": "fp32"}
RIGHT = (RewardSettings(verifier="capability"),)
METHOD_OF: dict[SampleKind, str] = {"messages": "sft", "text": "cpt", "preference": "dpo", "prompt": "grpo"}


def prepared(
    base: Path,
    folder: Path,
    data: list[dict[str, Any]],
    held_out: int = 40,
    kind: SampleKind = "messages",
    **more: Any,
) -> Path:
    """Prepare rows in a folder and return it."""
    folder.mkdir(parents=True)
    path = write_rows(folder / "source.jsonl", data)
    settings = DataSettings(held_out=held_out, max_length=64, data=(Source(path=str(path)),), **more)
    method = METHOD_OF[kind]
    stage = Stage("stage", "cot", method, settings, METHODS[method].Settings(), cot.Settings())
    prepare(
        settings.data,
        settings,
        reader_of(stage),
        kind,
        load_tokenizer(base),
        folder,
        SEED,
        folder,
        folder / "work",
    )
    return folder


def prepared_with_media(base: Path, folder: Path, **more: Any) -> Path:
    """Prepare pictures, clips, sounds and a little plain text for an omni model in a folder and return it."""
    folder.mkdir(parents=True)
    path = write_rows(folder / "source.jsonl", rows("first", 12))
    made = [Source(generator=name, size=12) for name in ("scenes", "moving-scenes", "spoken")]
    settings = DataSettings(held_out=8, max_length=512, data=(Source(path=str(path)), *made), **more)
    prepare(
        settings.data,
        settings,
        vision_qa.read,
        "messages",
        load_tokenizer(base),
        folder,
        SEED,
        folder,
        folder / "work",
        MediaLayout.of(base),
    )
    return folder


def job(
    base: Path,
    data: Path,
    folder: Path,
    method: str,
    start: Sequence[Trained] = (),
    rewards: Any = RIGHT,
    teacher: tuple[Path, Sequence[Trained]] | None = None,
    seed: int = SEED,
    **settings: Any,
) -> StageJob:
    """Return what a method needs to train one stage into `folder`."""
    work, staging = folder / "work", folder / "staging"
    for part in (work, staging):
        part.mkdir(parents=True, exist_ok=True)
    own = LEARNS | settings | ({"teacher": "a model"} if method == "distillation" else {})
    return StageJob(
        name="stage",
        settings=METHODS[method].Settings(**own),
        base=base,
        base_name="pico",
        start=start,
        data=data,
        max_length=64,
        seed=seed,
        work=work,
        staging=staging,
        capability="cot",
        rewards=rewards,
        teacher=teacher,
    )


def trained(
    base: Path, data: Path, folder: Path, method: str, start: Sequence[Trained] = (), **settings: Any
) -> Trained:
    """Train one stage and return what it left."""
    order = job(base, data, folder, method, start, **settings)
    METHODS[method].train(order)
    kind = METHODS[method].result(order.settings)
    return Trained(folder.name, kind, order.staging / kind)


def stopped(order: StageJob, stops: Sequence[int], method: str = "lora") -> tuple[list[float], str]:
    """Train a stage, stopped by a signal after some steps; return its losses and the hash of its weights."""
    for stop in (*stops, None):
        cross = RUN.cross

        def crossing(
            doing: str, step: int = 0, *rest: Any, stop: int | None = stop, cross: Any = cross
        ) -> None:
            REQUESTS.stop = signal.SIGTERM if step and step == stop else None
            cross(doing, step, *rest)

        with (
            pytest.MonkeyPatch.context() as patch,
            RUN.of(order.work, GuardSettings(cooldown_every_steps=0), "starting"),
        ):
            patch.setattr(RUN, "cross", crossing)
            patch.setattr(REQUESTS, "stop", None)
            if stop is None:
                METHODS[method].train(order)
            else:
                with pytest.raises(Interrupted, match="next run continues"):
                    METHODS[method].train(order)
    lines = (order.staging / "metrics.jsonl").read_text().splitlines()
    (weights,) = order.staging.rglob("*.safetensors")
    return [json.loads(line)["loss"] for line in lines], hashlib.sha256(weights.read_bytes()).hexdigest()


def measured(base: Path, chain: Sequence[Trained], data: Path, capability: Any = cot) -> dict[str, Any]:
    """Measure the held-out samples of prepared data on base + chain."""
    import torch

    probe = Probe("stage", capability, capability.Settings(max_new_tokens=12), read_held_out(data), 64)
    return measure(probe, compose(base, chain, torch.float32), load_tokenizer(base), "test")


# The least gain that counts: how far the lower end of its paired interval (95 %) must lie above nothing. Who
# learns the toy task gains about 0.6, and 0.4 at the lower end.
LEAST_GAIN = 0.15


def assert_learned(before: dict[str, Any], ablated: dict[str, Any], after: dict[str, Any]) -> None:
    """A held-out accuracy is better than before, and than after the same stage on labels that teach nothing.

    Differences are compared, not a number with a fixed one: how much is learned in a few steps depends on the
    seed, and on the rounding of the processor.
    """
    assert gain(before, after)["low"] > LEAST_GAIN, (
        f"learned too little: {before['value']} -> {after['value']}"
    )
    assert gain(ablated, after)["low"] > LEAST_GAIN, (
        f"not from the labels: {ablated['value']} without, {after['value']} with"
    )


__all__ = ["assert_learned", "job", "measured", "prepared", "rows", "stopped", "trained"]
