"""Every text family with every kind of vision encoder, and hearing besides."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForCausalLM, AutoProcessor

from manus.models.loading.composition import load_model
from tests.unit.models.omni.small import (
    TEXT,
    VISION,
    film,
    omni,
    picture,
    sound,
    text_model,
    vision_encoder,
    whisper,
)

TEXT_ONLY = "what do you see"
QUESTION = "<|im_start|>user\n<|image|>and<|video|>and<|audio|>what<|im_end|>\n"


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    return {kind: vision_encoder(kind, root / kind) for kind in VISION} | {
        "whisper": whisper(root / "whisper")
    }


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("bases")
    return {family: text_model(family, root / family) for family in TEXT}


def test_there_are_enough() -> None:
    assert len(TEXT) >= 8
    assert len(VISION) >= 3


# Each family and each encoder is met; `make test-exhaustive` meets them all with each other.
PAIRS = [
    pytest.param(
        family, kind, marks=() if kind == list(VISION)[place % len(VISION)] else pytest.mark.exhaustive
    )
    for place, family in enumerate(TEXT)
    for kind in VISION
]


@pytest.mark.parametrize(("family", "kind"), PAIRS)
def test_a_text_model_gets_senses(
    bases: dict[str, Path], encoders: dict[str, Path], family: str, kind: str, tmp_path: Path
) -> None:
    base, folder = bases[family], omni(bases[family], tmp_path / "omni", encoders[kind], encoders["whisper"])
    model, processor = load_model(folder, torch.float32).eval(), AutoProcessor.from_pretrained(folder)
    _text_is_unchanged(base, model, processor)
    batch = processor(
        text=[QUESTION, QUESTION + "and you"],
        padding=True,
        images=[picture(0), picture(1, 90, 30)],
        videos=[film(0), film(1)],
        audio=[sound(0), sound(1, 1.5)],
    )
    first = model(**batch, labels=batch["input_ids"])
    first.loss.backward()
    for name, parameter in model.named_parameters():
        if "encoder" in name:
            assert parameter.grad is None and not parameter.requires_grad, name
        elif "projector" in name:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    wanted = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False}
    cached = model.generate(**batch, **wanted)
    assert torch.equal(cached, model.generate(**batch, **wanted, use_cache=False))
    assert cached[:, -5:].max() < model.config.text_tokens
    model.save_pretrained(tmp_path / "again")
    again = AutoModel.from_pretrained(tmp_path / "again").eval()
    assert torch.equal(again(**batch).logits, first.logits)
    ends = again.get_input_embeddings().weight, again.get_output_embeddings().weight
    assert (ends[0] is ends[1]) == model.config.text_config.tie_word_embeddings


def _text_is_unchanged(base: Path, model: torch.nn.Module, processor: object) -> None:
    alone = AutoModelForCausalLM.from_pretrained(base).eval()
    ids = processor.tokenizer([TEXT_ONLY, TEXT_ONLY + " you"], padding=True, return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(alone(**ids).logits, model(**ids).logits)
        assert torch.equal(
            alone(**ids, labels=ids["input_ids"]).loss, model(**ids, labels=ids["input_ids"]).loss
        )


def test_the_weights_of_the_base_are_stored_bit_by_bit(
    bases: dict[str, Path], encoders: dict[str, Path], tmp_path: Path
) -> None:
    omni(bases["gpt_neox"], tmp_path, encoders["vit"], None)
    stored = load_file(tmp_path / "model.safetensors")
    base = load_file(bases["gpt_neox"] / "model.safetensors")
    assert base
    assert all(torch.equal(stored[f"language_model.{name}"], weight) for name, weight in base.items())
    assert not any("decoder" in name or "pooler" in name or "audio" in name for name in stored)
