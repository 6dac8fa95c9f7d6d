"""What saves time or memory in a stage: checkpointing changes no bit, upper layers alone learn and merge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from manus.methods import lora
from manus.models.loading.composition import compose
from tests.integration.stage import job, measured, prepared, rows, trained


@pytest.fixture(scope="module")
def data(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(pico_base, tmp_path_factory.mktemp("data") / "first", rows("first", 440))


@pytest.mark.parametrize("method", ["lora", "sft"])
def test_checkpointing_changes_no_bit(pico_base: Path, data: Path, tmp_path: Path, method: str) -> None:
    own = {"dropout": 0.1} if method == "lora" else {}
    weights = [
        load_file(
            next(
                trained(
                    pico_base,
                    data,
                    tmp_path / str(wanted),
                    method,
                    epochs=0.3,
                    gradient_checkpointing=wanted,
                    **own,
                ).path.glob("*.safetensors")
            )
        )
        for wanted in (False, True)
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_upper_layers_alone_learn_and_merge(undecided_base: Path, data: Path, tmp_path: Path) -> None:
    stage = trained(undecided_base, data, tmp_path / "upper", "lora", upper_layers=0.5, epochs=14)
    names = load_file(stage.path / "adapter_model.safetensors")
    assert names
    assert all(".layers.1." in name for name in names)
    before, after = (compose(undecided_base, chain, torch.float32).state_dict() for chain in ([], [stage]))
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed
    assert all(".layers.1." in name for name in changed)
    assert measured(undecided_base, [stage], data)["value"] > measured(undecided_base, [], data)["high"]


def test_a_stage_tells_what_it_chose_and_when_it_began(
    pico_base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = lora.train(job(pico_base, data, tmp_path, "lora", epochs=0.1))
    told = capsys.readouterr().out
    assert metrics["gradient_checkpointing"] is False
    assert metrics["seconds_to_first_step"] > 0
    assert f"first step after {metrics['seconds_to_first_step']} s" in told
    assert "gradient checkpointing off" in told
    json.dumps(metrics)
