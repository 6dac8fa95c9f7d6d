"""Pico models and randomly "trained" stages for the tests of composition and merging."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from manus.models.loading.composition import Trained

VOCABULARY = 200
PROMPTS = [[1, 5, 9, 13], [7], list(range(2, 60)), [199, 0, 3]]
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "initializer_range": 0.1,
}


def llama(tied: bool = True) -> PreTrainedModel:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=2, tie_word_embeddings=tied))


def qwen2(hidden_size: int = 32) -> PreTrainedModel:
    torch.manual_seed(1)
    sizes = SIZES | {"hidden_size": hidden_size, "num_key_value_heads": 2}
    return Qwen2ForCausalLM(Qwen2Config(**sizes, tie_word_embeddings=False))


def gpt_neox() -> PreTrainedModel:
    torch.manual_seed(2)
    return GPTNeoXForCausalLM(GPTNeoXConfig(**SIZES, tie_word_embeddings=False))


def saved(model: PreTrainedModel, path: Path, dtype: torch.dtype = torch.float32) -> Path:
    model.to(dtype).save_pretrained(path)
    return path


def loaded(path: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(path, dtype=dtype)


def adapter(base: Path, path: Path, seed: int, size: float = 0.05, **lora: object) -> Trained:
    """Save a LoRA adapter whose every weight, magnitudes too, has moved away from its start."""
    torch.manual_seed(seed)
    config = LoraConfig(
        **{"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | lora
    )
    model = get_peft_model(loaded(base), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_magnitude" in name:
                parameter *= 1 + size * torch.randn_like(parameter)
            elif parameter.requires_grad:
                parameter += size * torch.randn_like(parameter)
    model.save_pretrained(path)
    return Trained(path.name, "adapter", path)


def full(base: Path, path: Path, seed: int, size: float = 0.01) -> Trained:
    """Save all weights of a model that has moved a little away from the base."""
    torch.manual_seed(seed)
    model = loaded(base)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += size * torch.randn_like(parameter)
    return Trained(path.name, "model", saved(model, path))


def with_adapters(model: PreTrainedModel, *stages: Trained) -> PeftModel:
    """Put several adapters beside the weights, all active at once."""
    active = PeftModel.from_pretrained(copy.deepcopy(model), stages[0].path, adapter_name="a0")
    names = ["a0"]
    for index, stage in enumerate(stages[1:], 1):
        names.append(f"a{index}")
        active.load_adapter(stage.path, names[-1])
    active.base_model.set_adapter(names)
    return active


def merged_alone(model: PreTrainedModel, stage: Trained) -> PreTrainedModel:
    """What PEFT itself makes of one adapter on one model."""
    return PeftModel.from_pretrained(copy.deepcopy(model), stage.path).merge_and_unload()


@torch.no_grad()
def logits(model: torch.nn.Module, prompt: list[int] = PROMPTS[2]) -> torch.Tensor:
    return model(input_ids=torch.tensor([prompt])).logits[0]


def parameters(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in model.named_parameters(remove_duplicate=False)}
