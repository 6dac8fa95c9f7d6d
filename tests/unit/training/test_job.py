"""What only a GPU has, through the seams that a CPU can show: Liger's kernels and TF32."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, TrainingArguments, utils
from transformers.integrations import liger

from manus.methods import lora
from manus.training import activations
from manus.training.job import arguments, kernels
from manus.training.stage_job import StageJob


@pytest.mark.parametrize(
    ("has_gpu", "has_liger", "expected"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_liger_is_used_where_it_is_and_a_gpu(
    has_gpu: bool, has_liger: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr(utils, "is_liger_kernel_available", lambda: has_liger)
    assert kernels().get("use_liger_kernel", False) is expected


def test_transformers_hands_our_choice_on_to_liger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Liger replaces the layers of this very model, and not its loss, which stays ours."""
    told: dict[str, Any] = {}
    fake = ModuleType("liger_kernel.transformers")
    fake._apply_liger_kernel_to_instance = lambda **given: told.update(given)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "liger_kernel", ModuleType("liger_kernel"))
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", fake)
    monkeypatch.setattr(liger, "is_liger_kernel_available", lambda: True)
    with monkeypatch.context() as gpu:
        gpu.setattr(torch.cuda, "is_available", lambda: True)
        gpu.setattr(utils, "is_liger_kernel_available", lambda: True)
        chosen = kernels()
    told_to_trainer = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, **chosen)
    assert told_to_trainer.use_liger_kernel
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
        )
    )
    liger.apply_liger_kernel(model, told_to_trainer.liger_kernel_config)
    assert told.pop("model") is model
    assert told == {"fused_linear_cross_entropy": False, "cross_entropy": False}


@pytest.mark.parametrize("has_tf32", [True, False])
def test_tf32_is_on_where_there_is_such_a_gpu(
    has_tf32: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activations, "checkpointing", lambda *given: False)
    monkeypatch.setattr(utils, "is_torch_tf32_available", lambda: has_tf32)
    stage = StageJob("stage", lora.Settings(), tmp_path, "base", (), tmp_path, 8, 1, tmp_path, tmp_path)
    told: list[dict[str, Any]] = []

    class Told(TrainingArguments):
        def __init__(self, **given: Any) -> None:
            told.append(given)
            super().__init__(**{**given, "tf32": None})

    arguments(stage, "fp32", 1, Told)
    assert told[0]["tf32"] is (True if has_tf32 else None)
