"""Our adapted linear layer computes what PEFT's does, and stands aside where PEFT's must be used."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedModel, Qwen2Config

from manus.training.kernels import low_rank
from manus.training.kernels.low_rank import Accumulated, accumulate

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
FAMILIES = {
    "llama": LlamaConfig(**SIZES),
    "qwen with biases": Qwen2Config(**SIZES, num_key_value_heads=2),
    "gpt2 without linear layers": GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4),
}
IDS = torch.arange(24).view(2, 12)


def pair(config: Any, dtype: torch.dtype = torch.float32, **settings: Any) -> tuple[PeftModel, PeftModel]:
    """Return the same adapted model twice, computed by PEFT and by us; the adapter changes the outputs."""
    torch.manual_seed(0)
    start: PreTrainedModel = AutoModelForCausalLM.from_config(copy.deepcopy(config)).to(dtype)
    peft = LoraConfig(r=4, lora_alpha=12, target_modules="all-linear", task_type="CAUSAL_LM", **settings)
    theirs = get_peft_model(copy.deepcopy(start), copy.deepcopy(peft))
    for name, parameter in theirs.named_parameters():
        if "lora_B" in name or "lora_magnitude" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    ours = get_peft_model(copy.deepcopy(start), accumulate(copy.deepcopy(peft), start))
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def learned(model: PeftModel) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return logits and gradients of one step."""
    torch.manual_seed(1)
    found = model.train()(input_ids=IDS, labels=IDS)
    found.loss.backward()
    return found.logits, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def largest_difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / one.abs().max())


def count_of_ours(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with each use of our function."""
    calls: list[int] = []
    apply = low_rank._LowRank.apply
    monkeypatch.setattr(low_rank._LowRank, "apply", lambda *given: (calls.append(1), apply(*given))[1])
    return calls


@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_and_gradients_are_pefts_to_rounding(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = pair(FAMILIES[family])
    calls = count_of_ours(monkeypatch)
    (expected, wanted), (found, given) = learned(theirs), learned(ours)
    assert bool(calls) == ("without" not in family)
    assert largest_difference(expected, found) < 1e-5
    assert wanted.keys() == given.keys() and len(wanted) > 0
    assert max(largest_difference(wanted[name], given[name]) for name in wanted) < 1e-5


def test_in_bf16_it_is_as_near_to_the_truth_as_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, _ = pair(FAMILIES["llama"])
    theirs, ours = pair(FAMILIES["llama"], torch.bfloat16)
    calls = count_of_ours(monkeypatch)
    truth, _ = learned(exact)
    with torch.autocast("cpu", torch.bfloat16):
        (expected, wanted), (found, given) = learned(theirs), learned(ours)
    assert calls and found.dtype == expected.dtype
    assert largest_difference(truth, found.float()) < 1.2 * largest_difference(truth, expected.float())
    assert {gradient.dtype for gradient in given.values()} == {torch.float32}
    assert max(largest_difference(wanted[name], given[name]) for name in wanted) < 0.1


@pytest.mark.parametrize(
    "settings", [{"lora_dropout": 0.2}, {"use_dora": True}, {"lora_bias": True, "bias": "none"}]
)
def test_what_is_not_plain_is_left_to_peft(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = pair(FAMILIES["llama"], **settings)
    calls = count_of_ours(monkeypatch)
    (expected, wanted), (found, given) = learned(theirs), learned(ours)
    assert not calls
    assert torch.equal(expected, found)
    assert all(torch.equal(wanted[name], given[name]) for name in wanted)


def test_switched_off_or_merged_it_is_the_plain_layer() -> None:
    theirs, ours = pair(FAMILIES["llama"])
    with torch.no_grad():
        with theirs.disable_adapter(), ours.disable_adapter():
            assert torch.equal(theirs(IDS).logits, ours(IDS).logits)
        adapted = ours(IDS).logits
        assert largest_difference(adapted, ours.merge_and_unload()(IDS).logits) < 1e-5


def test_a_saved_adapter_is_pefts_own(tmp_path: Path) -> None:
    theirs, ours = pair(FAMILIES["llama"])
    ours.save_pretrained(tmp_path)
    assert "Accumulated" not in (tmp_path / "adapter_config.json").read_text()
    loaded = PeftModel.from_pretrained(copy.deepcopy(theirs).unload(), tmp_path)
    assert not any(isinstance(module, Accumulated) for module in loaded.modules())
    with torch.no_grad():
        assert torch.equal(loaded(IDS).logits, theirs.eval()(IDS).logits)
