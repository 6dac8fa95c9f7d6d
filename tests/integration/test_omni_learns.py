"""A small omni model learns to name what it sees and hears, and cannot when the medium is taken away.

The media are drawn here; held-out ones are other draws. The encoders are random and frozen: the projectors
and the language model learn.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor

from manus.models.loading.composition import load_model
from tests.seeds import SEED
from tests.unit.models.omni import small

WORDS = ["a", "b", "c", "d"]
Draw = Callable[[np.random.Generator, int], Any]


def picture(draw: np.random.Generator, answer: int) -> Image.Image:
    """A bright corner: one of four."""
    pixels = draw.integers(0, 90, (32, 32, 3))
    row, column = 16 * (answer // 2), 16 * (answer % 2)
    pixels[row : row + 16, column : column + 16] += 130
    return Image.fromarray(pixels.astype(np.uint8))


def film(draw: np.random.Generator, answer: int) -> np.ndarray:
    """Three frames, of which the first, second or third is bright: told apart only by when."""
    frames = [draw.integers(0, 90, (32, 32, 3)) + 130 * (answer == number) for number in range(3)]
    return np.repeat(np.stack(frames), 2, axis=0).astype(np.uint8)  # at 2 frames a second


def sound(draw: np.random.Generator, answer: int) -> np.ndarray:
    """A tone: one of four."""
    time = np.arange(8000) / 16_000
    pitch = (220, 600, 1500, 3500)[answer] * draw.uniform(0.95, 1.05)
    return (0.3 * np.sin(2 * np.pi * pitch * time) + 0.02 * draw.standard_normal(8000)).astype(np.float32)


WORLDS: dict[str, tuple[str, Draw]] = {
    "images": ("<|image|>", picture),
    "videos": ("<|video|>", film),
    "audio": ("<|audio|>", sound),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("omni")
    base = small.text_model("llama", root / "base", initializer_range=0.05)
    vision, audio = (
        small.vision_encoder("siglip_vision_model", root / "vision"),
        small.whisper(root / "audio"),
    )
    return small.omni(base, root / "omni", vision, audio, settings={"video_pool": 1})


def batch_of(
    processor: Any, sense: str, draw: np.random.Generator, size: int
) -> tuple[dict[str, Any], torch.Tensor]:
    placeholder, make = WORLDS[sense]
    answers = draw.integers(0, CHOICES[sense], size)
    media = [make(draw, int(answer)) for answer in answers]
    texts = [f"{placeholder}which {WORDS[answer]}" for answer in answers]
    return dict(processor(text=texts, padding=True, **{sense: media})), torch.from_numpy(answers)


def accuracy(model: Any, processor: Any, inputs: dict[str, Any], answers: torch.Tensor) -> float:
    choices = [processor.tokenizer(f" {word}")["input_ids"][-1] for word in WORDS]
    with torch.no_grad():
        logits = model.eval()(**inputs).logits[:, -2, choices]
    return float((logits.argmax(-1) == answers).float().mean())


@pytest.mark.learns
@pytest.mark.parametrize("sense", WORLDS)
def test_it_learns_to_tell_media_apart(folder: Path, sense: str) -> None:
    torch.manual_seed(SEED)
    model, processor = load_model(folder, torch.float32), AutoProcessor.from_pretrained(folder)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    draw = np.random.default_rng(SEED)
    for _ in range(STEPS[sense]):
        inputs, _ = batch_of(processor, sense, draw, 16)
        labels = torch.full_like(inputs["input_ids"], -100)
        labels[:, -1] = inputs["input_ids"][:, -1]
        model.train()(**inputs, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    held_out, answers = batch_of(processor, sense, np.random.default_rng(SEED + 1), 120)
    assert accuracy(model, processor, held_out, answers) > 0.9
    for ablated in ablations(sense, held_out):
        assert accuracy(model, processor, ablated, answers) < 1 / CHOICES[sense] + 0.2


CHOICES = {"images": 4, "videos": 3, "audio": 4}
STEPS = {"images": 100, "videos": 100, "audio": 100}


def ablations(sense: str, inputs: dict[str, Any]) -> list[dict[str, Any]]:
    name = {"images": "pixel_values", "videos": "pixel_values_videos", "audio": "input_features"}[sense]
    values = inputs[name]
    swapped = (
        values.view(-1, 3, *values.shape[1:]).roll(1, 0).flatten(0, 1)
        if sense == "videos"
        else values.roll(1, 0)
    )
    found = [{**inputs, name: torch.zeros_like(values)}, {**inputs, name: swapped}]
    if sense == "videos":
        order = torch.stack(
            [torch.randperm(3, generator=torch.manual_seed(n)) + 3 * n for n in range(len(values) // 3)]
        )
        found.append({**inputs, name: values[order.flatten()]})
    return found
