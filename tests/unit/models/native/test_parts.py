"""Language model, projectors and encoders are found, and encoders stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from manus.errors import ModelError
from manus.models.loading.composition import load_model
from manus.models.native.parts import is_native, keep_encoders, parts_of, spared
from tests.pico_native_more import EVERY, made

ENCODERS = dict.fromkeys(EVERY, "model.vision_tower") | {
    "qwen2_vl": "model.visual",
    "qwen2_5_vl": "model.visual",
    "idefics3": "model.vision_model",
    "smolvlm": "model.vision_model",
    "qwen2_audio": "model.audio_tower",
    "qwen3_vl": "model.visual",
}


@pytest.mark.parametrize("family", list(EVERY))
def test_the_parts_of_each_family(tmp_path: Path, family: str) -> None:
    model = load_model(made(family, tmp_path), torch.float32)
    parts = parts_of(model)
    assert is_native(model) and parts.head == "lm_head" and parts.projectors
    frozen = {name for name, _ in model.named_parameters() if parts.is_frozen(name)}
    of_encoder = {name for name, _ in model.named_parameters() if name.startswith(f"{ENCODERS[family]}.")}
    assert frozen - {"model.image_newline"} == {
        n for n in of_encoder if not n.startswith(tuple(f"{own}." for own in parts.projectors))
    }
    assert frozen


@pytest.mark.parametrize("family", ["llava", "qwen2_vl"])
def test_encoders_stay_when_a_model_is_set_to_training(tmp_path: Path, family: str) -> None:
    folder = made(family, tmp_path)
    model = load_model(folder, torch.float32)
    keep_encoders(model)
    model.train()
    parts = parts_of(model)
    for name, module in model.named_modules():
        if name and not any(other.startswith(f"{name}.") for other in (parts.language, *parts.projectors)):
            assert module.training != parts.is_frozen(name), name
    for name, weight in model.named_parameters():
        assert weight.requires_grad != parts.is_frozen(name), name


def test_a_quantisation_spares_all_but_the_language_model(tmp_path: Path) -> None:
    assert spared(made("llava", tmp_path)) == ["lm_head", "model.multi_modal_projector", "model.vision_tower"]


def test_a_model_of_text_has_no_parts() -> None:
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
        )
    )
    assert not is_native(model)
    with pytest.raises(ModelError, match="no language model is to be found in LlamaForCausalLM"):
        parts_of(model)
