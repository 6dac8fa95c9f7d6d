"""A base that sees by itself learns from pictures: a pico LLaVA tells colours, and fails when it is blindfolded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from manus.capabilities import vision_qa
from manus.data.prepared import read_held_out
from manus.evaluation.probes import Probe
from manus.models.native.inputs import OwnInputs
from manus.models.native.layout import OwnLayout
from tests.integration.stage import trained
from tests.integration.test_senses_learn import LEARNS, compared, prepared
from tests.pico_native import llava


@pytest.fixture(scope="module")
def base(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    return llava(tmp_path_factory.mktemp("llava") / "base", pico_base)


@pytest.fixture(scope="module")
def data(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(base, tmp_path_factory.mktemp("seeing") / "data", layout=OwnLayout.of(base))


@pytest.mark.parametrize("method", ["sft", "lora"])
def test_a_method_teaches_a_base_with_eyes_of_its_own(base: Path, data: Path, tmp_path: Path, method: str) -> None:
    own: dict[str, Any] = {"learning_rate": 4e-3, "rank": 16, "epochs": 20} if method == "lora" else {}
    stage = trained(base, data, tmp_path / method, method, **{**LEARNS, **own})
    media = OwnInputs.of(base, data)
    probe = Probe("seeing", vision_qa, vision_qa.Settings(max_new_tokens=8), read_held_out(data), 256, media)
    before, after, cut = compared(base, probe, stage)
    print(method, before["value"], after["value"], {k: v["value"] for k, v in cut.items()})
    assert after["low"] > before["high"] and after["value"] > 0.8
    for name in ("picture blanked", "picture swapped", "question alone"):
        assert cut[name]["value"] < 0.6 and cut[name]["drop"]["low"] > 0.1, f"{name} should make it fail"
