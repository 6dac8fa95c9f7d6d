"""With `upper_layers`, lower layers get no adapter and no backward pass."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from peft import get_peft_model
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MixtralConfig, PreTrainedModel

from manus.errors import InputError
from manus.methods import dora, lora
from manus.training.loop import Untangled
from manus.training.weights import lora_config

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
FAMILIES = {
    "llama": LlamaConfig(**SIZES),
    "gpt2": GPT2Config(vocab_size=64, n_embd=32, n_layer=4, n_head=4),
}


def model_of(config: Any) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForCausalLM.from_config(copy.deepcopy(config))
    return model


def adapted_layers(model: Any) -> set[int]:
    names = [name for name, _ in model.named_parameters() if "lora_A" in name]
    return {int(next(part for part in name.split(".") if part.isdigit())) for name in names}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("share", "expected"), [(1.0, {0, 1, 2, 3}), (0.5, {2, 3}), (0.01, {3})])
def test_adapters_are_put_on_the_upper_layers(family: str, share: float, expected: set[int]) -> None:
    model = model_of(FAMILIES[family])
    config = lora_config("lora", lora.Settings(upper_layers=share), model)
    assert adapted_layers(get_peft_model(model, config)) == expected


@pytest.mark.parametrize("is_checkpointing", [False, True])
def test_lower_layers_build_no_graph(is_checkpointing: bool) -> None:
    model = model_of(FAMILIES["llama"])
    adapted = get_peft_model(model, lora_config("dora", dora.Settings(upper_layers=0.5), model))
    if is_checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
        Untangled().on_train_begin(model=adapted)
    needs = []
    for layer in model.model.layers:
        layer.register_forward_hook(lambda module, given, output: needs.append(output.requires_grad))
    adapted.train()
    adapted(input_ids=torch.arange(8)[None], labels=torch.arange(8)[None], use_cache=False).loss.backward()
    assert needs[:4] == [False, False, True, True]
    assert all(p.grad is not None for p in adapted.parameters() if p.requires_grad)


def test_experts_are_refused() -> None:
    model = model_of(MixtralConfig(**SIZES, num_local_experts=2))
    with pytest.raises(InputError, match="experts"):
        lora_config("lora", lora.Settings(upper_layers=0.5), model)


def test_a_model_without_a_list_of_layers_is_refused() -> None:
    model = model_of(FAMILIES["llama"])
    model.config.num_hidden_layers = 7
    with pytest.raises(InputError, match="upper_layers"):
        lora_config("lora", lora.Settings(upper_layers=0.5), model)
