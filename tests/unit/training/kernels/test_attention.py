"""Samples of one row never see each other, and a row costs what its samples cost apart."""

from __future__ import annotations

import copy
from pathlib import Path
from types import ModuleType

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
)

from manus.methods import lora, qlora
from manus.training.batches.text import FlatCollator, PaddedCollator
from manus.training.kernels.attention import SEGMENTS, boundaries, can_share_beginnings, keep_samples_apart
from manus.training.labels import IGNORED
from manus.training.weights import trainable

SIZES = {
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
GROUPED = {**SIZES, "num_key_value_heads": 2}
FLAT = {
    "llama": LlamaConfig(**GROUPED),
    "qwen2": Qwen2Config(**GROUPED),
    "qwen3": Qwen3Config(**GROUPED, head_dim=8),
    "mistral": MistralConfig(**GROUPED, sliding_window=64),
    "mistral, samples longer than its window": MistralConfig(**GROUPED, sliding_window=4),
    "gpt_neox": GPTNeoXConfig(**SIZES),
    "gpt2": GPT2Config(vocab_size=128, n_embd=32, n_layer=2, n_head=4),
}
PADDED = {
    "mamba (a state, no attention)": MambaConfig(
        vocab_size=128, hidden_size=32, num_hidden_layers=2, state_size=4
    ),
    "gemma2 (soft-capping)": Gemma2Config(**GROUPED, head_dim=8),
}
SAMPLES = [[5, 6, 7, 8, 9], [11, 12], [21, 22, 23, 24, 25, 26, 27]]
ALIKE = [[41, 42, 43, *sample] for sample in SAMPLES]  # they begin alike


def model_of(config: object) -> PreTrainedModel:
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(copy.deepcopy(config))
    return model


def segments() -> list[list[tuple[torch.Tensor, torch.Tensor]]]:
    rows = []
    for sample in SAMPLES:
        ids = torch.tensor(sample)
        labels = ids.clone()
        labels[0] = IGNORED
        rows.append([(ids, labels)])
    return rows


def loss(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> float:
    labels = batch.pop("labels")
    logits = model(**batch, use_cache=False).logits[:, :-1].flatten(0, 1)
    return torch.nn.functional.cross_entropy(logits, labels[:, 1:].flatten(), ignore_index=IGNORED).item()


@pytest.mark.parametrize("family", FLAT)
def test_a_flat_row_has_the_loss_of_padded_rows(family: str) -> None:
    model = model_of(FLAT[family]).eval()
    padded = loss(model, PaddedCollator(0)(segments()))
    assert keep_samples_apart(model, SAMPLES)
    assert model.config._attn_implementation == SEGMENTS
    assert loss(model, FlatCollator()(segments())) == pytest.approx(padded, rel=1e-5)


@pytest.mark.parametrize("family", PADDED)
def test_a_model_that_cannot_keep_samples_apart_is_padded(family: str) -> None:
    model = model_of(PADDED[family])
    before = model.config._attn_implementation
    assert not keep_samples_apart(model, SAMPLES)
    assert model.config._attn_implementation == before
    assert model.training


def test_the_proof_notices_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AttentionInterface

    def leaking(
        module: object, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *args: object, **kwargs: object
    ):  # type: ignore[no-untyped-def]
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return out.transpose(1, 2).contiguous(), None

    monkeypatch.setitem(AttentionInterface._global_mapping, SEGMENTS, leaking)
    assert not keep_samples_apart(model_of(FLAT["llama"]), SAMPLES)


def test_one_sample_does_not_change_with_its_neighbours() -> None:
    model = model_of(FLAT["llama"]).eval()
    assert keep_samples_apart(model, SAMPLES)
    with torch.no_grad():
        alone = model(torch.tensor([SAMPLES[2]]), **boundaries([7]), use_cache=False).logits
        others = [token + 1 for sample in SAMPLES[:2] for token in sample]
        row = torch.tensor([others + SAMPLES[2]])
        together = model(row, **boundaries([5, 2, 7]), use_cache=False).logits[:, 7:]
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-5)


def test_missing_boundaries_are_refused() -> None:
    model = model_of(FLAT["llama"])
    model.set_attn_implementation(SEGMENTS)
    with pytest.raises(ValueError, match="cu_seq_lens_q"):
        model(torch.tensor([[1, 2, 3]]))


@pytest.mark.parametrize("method", [qlora, lora])
def test_the_proof_leaves_gradients_in_every_layer(pico_base: Path, method: ModuleType) -> None:
    model = trainable(pico_base, [], method.Settings.adapter, method.Settings(), "bf16")
    assert keep_samples_apart(model.get_base_model(), SAMPLES)
    model.train()
    batch = FlatCollator()(segments())
    labels = batch.pop("labels")
    logits = model(**batch, use_cache=False).logits[0, :-1].float()
    torch.nn.functional.cross_entropy(logits, labels[0, 1:], ignore_index=IGNORED).backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if "lora_B" in n}
    assert len(gradients) == 14
    assert all(g is not None and g.abs().sum() > 0 for g in gradients.values())


def questions(beginning: list[int]) -> list[list[tuple[torch.Tensor, torch.Tensor]]]:
    """Samples that all begin alike; the last two tokens of each are learned."""
    rows = []
    for sample in SAMPLES:
        ids = torch.tensor([*beginning, 3 + len(sample), *sample])
        labels = torch.full_like(ids, IGNORED)
        labels[-2:] = ids[-2:]
        rows.append([(ids, labels)])
    return rows


@pytest.mark.parametrize("family", FLAT)
def test_a_beginning_that_is_computed_once_changes_neither_loss_nor_gradients(family: str) -> None:
    model = model_of(FLAT[family]).eval()
    assert keep_samples_apart(model, SAMPLES)
    assert can_share_beginnings(model, ALIKE)
    found = {}
    for is_sharing in (False, True):
        batch = FlatCollator(is_sharing)(questions([41, 42, 43, 44, 45, 46]))
        assert batch["input_ids"].numel() == (23 if is_sharing else 35)
        labels = batch.pop("labels")
        logits = model(**batch, use_cache=False).logits[0, :-1]
        value = torch.nn.functional.cross_entropy(logits, labels[0, 1:], ignore_index=IGNORED)
        gradients = torch.autograd.grad(value, list(model.parameters()))
        found[is_sharing] = (value, *gradients)
    torch.testing.assert_close(found[True], found[False], rtol=1e-4, atol=1e-6)


def test_only_an_attention_that_was_proven_shares_beginnings(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AttentionInterface

    from manus.training.kernels import attention

    model = model_of(FLAT["llama"])
    assert not can_share_beginnings(model, ALIKE)  # nothing keeps the samples apart
    assert keep_samples_apart(model, SAMPLES)

    def forgetful(*args: object, cu_seq_lens_k: object = None, **kwargs: object) -> object:
        return attention.segments(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setitem(AttentionInterface._global_mapping, SEGMENTS, forgetful)
    assert not can_share_beginnings(model, ALIKE)


def test_keys_that_belong_to_no_segment_are_refused() -> None:
    model = model_of(FLAT["llama"])
    model.set_attn_implementation(SEGMENTS)
    wrong = {**boundaries([2, 3]), "cu_seq_lens_k": torch.tensor([0, 2, 6])}
    with pytest.raises(ValueError, match="first segment"):
        model(torch.tensor([[1, 2, 3, 4, 5]]), **wrong)
