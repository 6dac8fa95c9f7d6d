"""Bases with senses learn by them: pico LLaVA tells colours, pico Qwen2-Audio tones; cut off, they fail."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from manus.capabilities import known_capabilities
from manus.data.prepared.samples import read_held_out
from manus.evaluation.probes import Probe
from manus.models.native.inputs import OwnInputs
from manus.models.native.layout import OwnLayout
from tests.integration.stage import trained
from tests.integration.test_senses_learn import LEARNS, assert_senses, compared, prepared
from tests.native_data import prepared as prepared_rows
from tests.native_data import row
from tests.pico_native import llava, qwen2_audio
from tests.seeds import SEED

hearing, vision_qa = (known_capabilities()[name] for name in ("hearing", "vision-qa"))


@pytest.fixture(scope="module")
def base(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(SEED)
    return llava(tmp_path_factory.mktemp("llava") / "base", pico_base)


@pytest.fixture(scope="module")
def data(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(base, tmp_path_factory.mktemp("seeing") / "data", layout=OwnLayout.of(base))


@pytest.mark.learns
@pytest.mark.parametrize("method", ["sft", "lora"])
def test_a_method_teaches_a_base_with_eyes_of_its_own(
    base: Path, data: Path, tmp_path: Path, method: str
) -> None:
    own: dict[str, Any] = {"learning_rate": 4e-3, "rank": 16, "epochs": 20} if method == "lora" else {}
    stage = trained(base, data, tmp_path / method, method, **{**LEARNS, **own})
    media = OwnInputs.of(base, data)
    probe = Probe("seeing", vision_qa, vision_qa.Settings(max_new_tokens=8), read_held_out(data), 256, media)
    assert_senses(*compared(base, probe, stage), ("picture blanked", "picture swapped", "question alone"))


@pytest.mark.learns
def test_a_base_with_ears_of_its_own_learns_to_hear(pico_base: Path, tmp_path: Path) -> None:
    torch.manual_seed(SEED)
    base, draw = qwen2_audio(tmp_path / "base", pico_base), random.Random(SEED)
    data = prepared_rows(
        base, tmp_path / "data", [row("audio", draw) for _ in range(320)], 40, read=hearing.read
    )
    stage = trained(
        base, data, tmp_path / "lora", "lora", **{**LEARNS, "learning_rate": 4e-3, "rank": 16, "epochs": 8}
    )
    probe = Probe(
        "hearing",
        hearing,
        hearing.Settings(max_new_tokens=8),
        read_held_out(data),
        400,
        OwnInputs.of(base, data),
    )
    assert_senses(*compared(base, probe, stage), ("sound silenced", "sound swapped"))
