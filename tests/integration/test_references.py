"""Encoders that a checkpoint refers to are no part of what stages write; stopped runs go on without them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from manus.models.loading.composition import Trained, compose, load_model
from manus.training.stage_job import StageJob
from tests.integration.stage import job, prepared_with_media, stopped
from tests.pico_omni import encoders
from tests.unit.models.omni import small

RUN_OF = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("method", "kind"), [("sft", "model"), ("alignment", "projectors"), ("lora", "adapter")]
)
def test_a_stopped_run_ends_in_the_same_bits(
    pico_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, kind: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    seeing, hearing = encoders(tmp_path)
    references = {"vision": {"folder": str(seeing)}, "audio": {"folder": str(hearing)}}
    base = small.omni(
        pico_base, tmp_path / "omni", seeing, hearing, settings={"most_frames": 2}, references=references
    )
    data = prepared_with_media(base, tmp_path / "data")

    def order(name: str) -> StageJob:
        return replace(job(base, data, tmp_path / name, method, **RUN_OF), max_length=512)

    calm, left = stopped(order("calm"), (), method), tmp_path / "calm" / "staging"
    assert calm == stopped(order("stopped"), (2, 5), method)
    (file,) = left.rglob("*.safetensors")
    with safe_open(file, framework="pt") as stored:
        assert not any("_encoder." in name for name in stored.keys())  # noqa: SIM118 (a file)
    before = load_model(base, torch.float32).state_dict()
    after = compose(
        base,
        [Trained("calm", kind, left / kind)],  # type: ignore[arg-type]
        torch.float32,
    ).state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    projectors = {"vision_projector", "audio_projector"}
    assert changed == (projectors if kind == "projectors" else {"language_model", *projectors})
