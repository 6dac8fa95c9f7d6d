"""Answers about media are those of `generate` one by one, beside other media and beside text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoProcessor

from manus.models.generation.engine import Engine
from manus.models.generation.joining import may_join
from manus.models.generation.questions import Drawing, Question
from manus.models.loading.composition import load_model
from manus.models.native.layout import OwnLayout
from tests.pico_native_more import EVERY, made
from tests.unit.models.generation.asking import generated
from tests.unit.models.omni.small import film, omni, picture, sound, text_model, vision_encoder, whisper

OF_TOKENS = ("input_ids", "attention_mask")


def compare(model: Any, asked: list[dict[str, torch.Tensor]]) -> list[list[int]]:
    """Assert that the engine says to these inputs what `generate` says to each alone; return it."""
    parts = [{name: value for name, value in inputs.items() if name not in OF_TOKENS} for inputs in asked]
    ids = [inputs["input_ids"][0].tolist() for inputs in asked]
    most = [6 + 3 * number for number in range(len(asked))]
    questions = [
        Question(row, Drawing(max_new_tokens=limit, ends=()), media)
        for row, limit, media in zip(ids, most, parts, strict=True)
    ]
    answers = Engine(model, places=2, pad_token_id=0).answers(questions)
    assert answers == [
        generated(model, row, limit, media) for row, limit, media in zip(ids, most, parts, strict=True)
    ]
    assert all(may_join(model, question) for question in questions)
    return answers


@pytest.mark.parametrize("family", sorted(EVERY))
def test_bases_with_senses_of_their_own(family: str, tmp_path: Path) -> None:
    folder = made(family, tmp_path)
    model, layout = load_model(folder, torch.float32).eval(), OwnLayout.of(folder)

    def asked(text: str, **medium: Any) -> dict[str, torch.Tensor]:
        content = [
            *({"type": kind, kind: value} for kind, value in medium.items()),
            {"type": "text", "text": text},
        ]
        prepared: dict[str, torch.Tensor] = layout.asked([{"role": "user", "content": content}])
        return prepared

    def shown(seed: int) -> dict[str, Any]:
        if "image" in layout.senses:
            return {"image": picture(seed, width=40 + 30 * seed)}
        return {"audio": sound(seed, seconds=0.7 + seed)}

    answers = compare(
        model,
        [
            asked("what", **shown(0)),
            asked("and what is this", **shown(1)),
            asked("no picture"),
            asked("what", **shown(2)),
        ],
    )
    if family != "gemma3":  # whose pico model says one token, whatever it is asked
        assert len({tuple(answer[:6]) for answer in answers}) > 1


@pytest.mark.parametrize("text", ["llama", "gemma3_text", "gpt_neox"])
def test_a_model_with_our_senses(text: str, tmp_path: Path) -> None:
    base = text_model(text, tmp_path / "base")
    vision, audio = vision_encoder("siglip_vision_model", tmp_path / "vision"), whisper(tmp_path / "audio")
    folder = omni(base, tmp_path / "omni", vision, audio)
    model, processor = load_model(folder, torch.float32).eval(), AutoProcessor.from_pretrained(folder)
    asked = [
        processor(text="<|im_start|>user\n<|image|>what<|im_end|>\n", images=picture(1)),
        processor(
            text="<|im_start|>user\nand<|video|>and<|audio|>what do you see<|im_end|>\n",
            videos=film(1),
            audio=sound(1),
        ),
        processor(text="<|im_start|>user\nwhat<|im_end|>\n"),
        processor(text="<|im_start|>user\n<|image|>and what<|im_end|>\n", images=picture(2)),
    ]
    answers = compare(
        model, [{name: value for name, value in one.items() if name != "token_type_ids"} for one in asked]
    )
    assert len({tuple(answer[:6]) for answer in answers}) > 1
