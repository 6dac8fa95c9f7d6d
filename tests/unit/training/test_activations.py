"""Gradient checkpointing goes by memory, changes no bit, and settings say otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from manus.estimate.memory import kept_bytes, must_checkpoint
from manus.methods import grpo, lora, sft
from manus.training import activations
from manus.training.activations import checkpointing, tokens_at_once

GB = 10**9


@pytest.mark.parametrize(
    ("needed", "free", "expected"), [(1 * GB, 10 * GB, False), (8 * GB, 10 * GB, False), (9 * GB, 10 * GB, True)]
)
def test_what_does_not_fit_is_computed_twice(needed: int, free: int, expected: bool) -> None:
    assert must_checkpoint(needed, free) is expected


def test_the_estimate_is_near_what_autograd_keeps() -> None:
    config = LlamaConfig(
        vocab_size=64, hidden_size=64, intermediate_size=176, num_hidden_layers=6, num_attention_heads=4,
        num_key_value_heads=2,
    )  # fmt: skip
    model, tokens = LlamaForCausalLM(config), 200
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model(input_ids=torch.zeros(1, tokens, dtype=torch.long), use_cache=False)
    estimate = kept_bytes({**config.to_dict(), "vocab_size": 1}, tokens, 4, by_parts=True)
    assert 0.7 < estimate / sum(kept.values()) < 1.4


def test_a_composed_model_is_judged_by_its_part_for_text() -> None:
    text = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100}
    assert kept_bytes({"text_config": text}, 10, 4, True) == kept_bytes(text, 10, 4, True)


def test_logits_count_only_where_they_all_exist() -> None:
    config = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 150_000}
    assert kept_bytes(config, 8192, 4, by_parts=False) > 14 * GB
    assert kept_bytes(config, 8192, 4, by_parts=True) < 1 * GB


@pytest.mark.parametrize("free", [0, 10**15])
@pytest.mark.parametrize("wanted", [True, False, "auto"])
def test_settings_decide_and_auto_asks_memory(
    pico_base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wanted: Any, free: int
) -> None:
    monkeypatch.setattr(activations, "free_bytes", lambda: free)
    settings = sft.Settings(gradient_checkpointing=wanted)
    job: Any = SimpleNamespace(settings=settings, base=pico_base, data=Path("none"), max_length=1000)
    assert checkpointing(job, "fp32", True) is (free == 0 if wanted == "auto" else wanted)
    assert ("gradient checkpointing" in capsys.readouterr().out) is (wanted == "auto")


def test_a_forward_pass_is_as_long_as_the_data_are(tmp_path: Path) -> None:
    def tokens(settings: Any) -> int:
        return tokens_at_once(SimpleNamespace(settings=settings, data=tmp_path, max_length=1000))  # type: ignore[arg-type]

    assert tokens(sft.Settings(batch_size=2)) == 2000
    (tmp_path / "statistics.json").write_text('{"tokens_per_sample": {"50": 90, "100": 120}}', encoding="utf-8")
    assert tokens(sft.Settings(batch_size=2)) == 240
    assert tokens(sft.Settings(batch_size=2, packing=True)) == 2000
    assert tokens(grpo.Settings(batch_size=8, max_new_tokens=30)) == 8 * 150


def test_keys_of_earlier_results_stay_valid() -> None:
    told = lora.Settings().model_dump(mode="json")
    assert told["gradient_checkpointing"] is False
    assert "upper_layers" not in told
    assert (
        lora.Settings(gradient_checkpointing=True, upper_layers=0.5).model_dump(mode="json").items()
        >= {
            "gradient_checkpointing": True,
            "upper_layers": 0.5,
        }.items()
    )
    assert lora.Settings().gradient_checkpointing == "auto"
    assert json.loads(lora.Settings().model_dump_json())["gradient_checkpointing"] is False


def test_sizes_that_each_layer_has_of_its_own_are_those_of_the_largest() -> None:
    config = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100}
    by_layer = {**config, "intermediate_size": [128, 256], "num_key_value_heads": [4, 2]}
    largest = {**config, "intermediate_size": 256, "num_key_value_heads": 4}
    assert kept_bytes(by_layer, 10, 4, True) == kept_bytes(largest, 10, 4, True)
