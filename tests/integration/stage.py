"""Prepares data for the pico model and runs one stage in this process, as the runner does in its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manus.capabilities import cot
from manus.data.forms import as_text
from manus.data.preparation import prepare
from manus.data.prepared import read_held_out
from manus.data.rendering import load_tokenizer
from manus.data.settings import DataSettings, Source
from manus.evaluation.probes import Probe, measure
from manus.models.composition import Trained, compose
from manus.recipe import METHODS
from manus.training.supervised import StageJob
from tests.pico import rows, write_rows

LEARNS = {"epochs": 10, "batch_size": 16, "learning_rate": 5e-3, "precision": "fp32"}


def prepared(base: Path, folder: Path, data: list[dict[str, Any]], held_out: int = 40, texts: bool = False) -> Path:
    """Prepare rows in a folder and return it."""
    folder.mkdir(parents=True)
    path = write_rows(folder / "source.jsonl", data)
    settings = DataSettings(held_out=held_out, max_length=64)
    read = as_text if texts else cot.read
    source = (Source(path=str(path)),)
    prepare(source, settings, read, load_tokenizer(base), folder, 0, folder, folder / "bad.jsonl")
    return folder


def job(base: Path, data: Path, folder: Path, method: str, start: Sequence[Trained] = (), **settings: Any) -> StageJob:
    """Return what a method needs to train one stage into `folder`."""
    work, staging = folder / "work", folder / "staging"
    for part in (work, staging):
        part.mkdir(parents=True, exist_ok=True)
    return StageJob(
        name="stage", settings=METHODS[method].Settings(**(LEARNS | settings)), base=base, base_name="pico", start=start,
        data=data, pad_token_id=0, max_length=64, seed=0, work=work, staging=staging,
    )  # fmt: skip


def trained(
    base: Path, data: Path, folder: Path, method: str, start: Sequence[Trained] = (), **settings: Any
) -> Trained:
    """Train one stage and return what it left."""
    order = job(base, data, folder, method, start, **settings)
    METHODS[method].train(order)
    kind = METHODS[method].result(order.settings)
    return Trained(folder.name, kind, order.staging / kind)


def measured(base: Path, chain: Sequence[Trained], data: Path) -> dict[str, Any]:
    """Measure the held-out samples of prepared data on base + chain."""
    import torch

    probe = Probe("stage", cot, cot.Settings(max_new_tokens=12), read_held_out(data), 64)
    return measure(probe, compose(base, chain, torch.float32), load_tokenizer(base), "test")


__all__ = ["job", "measured", "prepared", "rows", "trained"]
