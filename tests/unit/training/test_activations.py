"""Gradient checkpointing goes by memory, changes no bit, and settings say otherwise."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import get_peft_model
from torch.multiprocessing.reductions import StorageWeakRef
from transformers import LlamaConfig, LlamaForCausalLM

from manus.estimate.memory import kept_bytes, must_checkpoint
from manus.methods import grpo, lora, sft
from manus.training import activations
from manus.training.activations import checkpointing, tokens_at_once
from manus.training.kernels.attention import boundaries, keep_samples_apart
from manus.training.kernels.head import learn_by_parts
from manus.training.weights import lora_config

GB = 10**9


@pytest.mark.parametrize(
    ("needed", "free", "expected"),
    [(1 * GB, 10 * GB, False), (8 * GB, 10 * GB, False), (9 * GB, 10 * GB, True)],
)
def test_what_does_not_fit_is_computed_twice(needed: int, free: int, expected: bool) -> None:
    assert must_checkpoint(needed, free) is expected


def bytes_kept(model: Any, **inputs: Any) -> int:
    """Return how many bytes autograd keeps of a forward pass beside the weights."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, tuple[StorageWeakRef, int]] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = StorageWeakRef(storage), storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        outputs = model(**inputs, use_cache=False)
    assert outputs is not None, "alive until all is counted"
    return sum(size for storage, size in kept.values() if not storage.expired())


def test_the_estimate_is_near_what_autograd_keeps() -> None:
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model, tokens = LlamaForCausalLM(config), 200
    kept = bytes_kept(model, input_ids=torch.zeros(1, tokens, dtype=torch.long))
    estimate = kept_bytes({**config.to_dict(), "vocab_size": 1}, tokens, 4, by_parts=True)
    assert 0.7 < estimate / kept < 1.4


def test_a_packed_row_with_an_adapter_keeps_no_tensor_twice_and_no_logits() -> None:
    hidden, inner, heads, values, layers, tokens, vocabulary = 64, 176, 4, 2, 6, 200, 4096
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=values,
    )
    model = LlamaForCausalLM(config)
    model = get_peft_model(model, lora_config("lora", lora.Settings(rank=2), model))
    samples = [[5, 6, 7, 8], [5, 6, 9, 10, 11]]
    plain = model.get_base_model()
    assert learn_by_parts(plain, samples[0], logits_at_once=vocabulary * 10) and keep_samples_apart(
        plain, samples
    )
    row = {"input_ids": torch.arange(tokens)[None], "next_tokens": torch.arange(tokens)[None] + 1}
    kept = bytes_kept(model.train(), **row, **boundaries([50, 60, 90]))
    # Inputs of both norms and of the maps behind them, queries, what attention says by sample and in a row;
    # keys and values; gate, its activation, up, and their product.
    numbers = 7 * hidden + 2 * hidden * values // heads + 4 * inner
    assert kept < 1.1 * layers * tokens * numbers * 4
    assert kept < layers * tokens * numbers * 4 + tokens * vocabulary * 4, "logits are kept"


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
    pico_base: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wanted: Any,
    free: int,
) -> None:
    monkeypatch.setattr(activations, "free_bytes", lambda: free)
    settings = sft.Settings(gradient_checkpointing=wanted)
    job: Any = SimpleNamespace(settings=settings, base=pico_base, data=Path("none"), max_length=1000)
    assert checkpointing(job, "fp32", True) is (free == 0 if wanted == "auto" else wanted)
    assert ("gradient checkpointing" in capsys.readouterr().out) is (wanted == "auto")


def test_a_forward_pass_is_as_long_as_the_data_are(tmp_path: Path) -> None:
    def tokens(settings: Any) -> int:
        return tokens_at_once(
            SimpleNamespace(settings=settings, data=tmp_path, max_length=1000)  # type: ignore[arg-type]
        )

    assert tokens(sft.Settings(batch_size=2)) == 2000
    (tmp_path / "statistics.json").write_text(
        '{"tokens_per_sample": {"50": 90, "100": 120}}', encoding="utf-8"
    )
    assert tokens(sft.Settings(batch_size=2)) == 240
    assert tokens(sft.Settings(batch_size=2, packing=True)) == 2000
    assert tokens(grpo.Settings(batch_size=8, max_new_tokens=30)) == 8 * 150


def test_sizes_that_each_layer_has_of_its_own_are_those_of_the_largest() -> None:
    config = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100}
    by_layer = {**config, "intermediate_size": [128, 256], "num_key_value_heads": [4, 2]}
    largest = {**config, "intermediate_size": 256, "num_key_value_heads": 4}
    assert kept_bytes(by_layer, 10, 4, True) == kept_bytes(largest, 10, 4, True)
