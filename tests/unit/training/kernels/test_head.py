"""The loss by parts is the loss of all logits, in value and in gradients, whatever a family does to them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    MambaConfig,
    MixtralConfig,
    OPTConfig,
    PreTrainedModel,
)

from manus.methods import cpt, lora, qlora
from manus.training.kernels import head
from manus.training.kernels.attention import boundaries, keep_samples_apart
from manus.training.kernels.head import learn_by_parts, summed_loss
from manus.training.labels import IGNORED
from manus.training.weights import trainable

VOCABULARY = 128
SIZES = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
GATED = {**SIZES, "intermediate_size": 64, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": 2}
BY_PARTS = {
    "llama": LlamaConfig(**GATED),
    "llama, tied": LlamaConfig(**GATED, tie_word_embeddings=True),
    "gemma2 (soft-capping)": Gemma2Config(**GATED, head_dim=8, final_logit_softcapping=3.0),
    "cohere (scale)": CohereConfig(**GATED, logit_scale=0.3),
    "granite (scale)": GraniteConfig(**GATED, logits_scaling=4.0),
    "mixtral (experts)": MixtralConfig(**GATED, num_local_experts=2),
    "gpt2": GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2),
    "gpt_neox": GPTNeoXConfig(**SIZES, intermediate_size=64),
    "mamba (no attention)": MambaConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4
    ),
}
SAMPLE = [5, 6, 7, 8, 9]
TWO_TOKENS = 2 * VOCABULARY


def model_of(config: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(copy.deepcopy(config)).eval()
    return model


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return two rows, of which the first learns less."""
    ids_BT = torch.randint(0, VOCABULARY, (2, 9), generator=torch.Generator().manual_seed(1))
    next_BT = F.pad(ids_BT[:, 1:], (0, 1), value=IGNORED)
    next_BT[:, :3], next_BT[0, 6:] = IGNORED, IGNORED
    return ids_BT, next_BT


def loss_of_logits(model: Any, ids_BT: torch.Tensor, next_BT: torch.Tensor) -> torch.Tensor:
    logits = model(input_ids=ids_BT, use_cache=False).logits.float()
    return F.cross_entropy(logits.flatten(0, 1), next_BT.flatten(), ignore_index=IGNORED, reduction="sum")


def compared(by_parts: Any, whole: Any) -> None:
    """Demand that both have the same loss and the same gradients of the same weights."""
    ids_BT, next_BT = batch()
    loss, expected = (
        by_parts(input_ids=ids_BT, next_tokens=next_BT, use_cache=False).loss,
        loss_of_logits(whole, *batch()),
    )
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-4)
    (loss / 3).backward()
    (expected / 3).backward()
    wanted = {name: p.grad for name, p in whole.named_parameters()}
    for name, parameter in by_parts.named_parameters():
        assert (parameter.grad is None) == (wanted[name] is None), name
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, wanted[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", BY_PARTS)
def test_loss_and_gradients_are_those_of_all_logits(family: str) -> None:
    model = model_of(BY_PARTS[family])
    whole = copy.deepcopy(model)
    assert learn_by_parts(model, SAMPLE, TWO_TOKENS)
    compared(model, whole)


def test_a_model_that_reaches_past_its_backbone_keeps_its_forward_pass() -> None:
    sizes = {**SIZES, "ffn_dim": 64, "word_embed_proj_dim": 32, "bos_token_id": 1, "eos_token_id": 2}
    model = model_of(OPTConfig(**sizes))
    before = model.forward
    assert not learn_by_parts(model, SAMPLE)
    assert model.forward == before


def test_the_proof_notices_a_head_that_is_not_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "summed_loss", lambda *args: 1.01 * summed_loss(*args))
    assert not learn_by_parts(model_of(BY_PARTS["llama"]), SAMPLE)


@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], ["q_proj", "lm_head"]])
def test_adapters_learn_the_same_on_the_head_too(targets: list[str]) -> None:
    config = LoraConfig(r=4, target_modules=targets, init_lora_weights=False, task_type="CAUSAL_LM")
    torch.manual_seed(0)
    model = get_peft_model(model_of(BY_PARTS["llama"]), config)
    whole = copy.deepcopy(model)
    assert learn_by_parts(model.get_base_model(), SAMPLE, TWO_TOKENS)
    compared(model, whole)


def test_the_trained_sizes_are_learned_from_under_autocast() -> None:
    model, whole = (model_of(BY_PARTS["llama, tied"]) for _ in range(2))
    assert learn_by_parts(model, SAMPLE, TWO_TOKENS)
    ids_BT, next_BT = batch()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(input_ids=ids_BT, next_tokens=next_BT, use_cache=False).loss
        expected = loss_of_logits(whole, ids_BT, next_BT)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-2, atol=1e-2)
    found, wanted = (m.get_output_embeddings().weight.grad for m in (model, whole))
    assert found.dtype == torch.float32
    assert F.cosine_similarity(found.flatten(), wanted.flatten(), 0) > 0.99


def test_a_batch_that_learns_nothing_has_a_loss_of_zero() -> None:
    model = model_of(BY_PARTS["llama"])
    assert learn_by_parts(model, SAMPLE)
    ids_BT, next_BT = batch()
    loss = model(input_ids=ids_BT, next_tokens=torch.full_like(next_BT, IGNORED), use_cache=False).loss
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_no_more_logits_exist_than_are_allowed() -> None:
    sizes = []

    def linear(hidden_ND: torch.Tensor) -> torch.Tensor:
        logits = hidden_ND @ weight.t()
        sizes.append(logits.numel())
        return logits

    weight, hidden_ND = torch.randn(50, 8, requires_grad=True), torch.randn(33, 8, requires_grad=True)
    next_N = torch.arange(33)
    summed_loss(linear, hidden_ND, next_N, [weight], 50, 500).backward()
    found = hidden_ND.grad, weight.grad
    assert max(sizes) <= 500
    assert sum(sizes) == 33 * 50, "and none is computed twice"
    hidden_ND.grad = weight.grad = None
    F.cross_entropy(hidden_ND @ weight.t(), next_N, reduction="sum").backward()
    torch.testing.assert_close(found, (hidden_ND.grad, weight.grad))


@pytest.mark.parametrize("method", [cpt, lora, qlora])
def test_a_stage_in_16_bits_learns_by_parts_in_flat_rows(pico_base: Path, method: Any) -> None:
    settings = method.Settings()
    model = trainable(pico_base, [], settings.adapter, settings, "bf16")
    inner = model if settings.adapter == "none" else model.get_base_model()
    assert learn_by_parts(inner, SAMPLE)
    assert keep_samples_apart(inner, [SAMPLE, [11, 12]])
    ids_BT = torch.tensor([[*SAMPLE, 11, 12]])
    with torch.autocast("cpu", torch.bfloat16):
        model(input_ids=ids_BT, next_tokens=ids_BT, use_cache=False, **boundaries([5, 2])).loss.backward()
    learned = [p.grad for n, p in model.named_parameters() if p.requires_grad and "lora_A" not in n]
    assert all(gradient is not None and gradient.any() for gradient in learned)
