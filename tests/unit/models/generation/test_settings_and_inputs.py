"""How answers are drawn, and how prompts are padded."""

from __future__ import annotations

from typing import Any

import torch

from manus.models.generation.inputs import left_padded, on_device
from manus.models.generation.settings import drawn, greedy
from tests.families import small_model
from tests.pico import tokenizer


def test_drawings_know_where_answers_end() -> None:
    model, words = small_model("llama"), tokenizer()
    likeliest, chance = greedy(model, words, 7), drawn(model, words, 7, 0.8, 0.9, seed=3)
    assert words.eos_token_id in likeliest.ends and likeliest.ends == chance.ends
    assert (likeliest.temperature, likeliest.max_new_tokens) == (0.0, 7)
    assert (chance.temperature, chance.top_p, chance.top_k, chance.seed) == (0.8, 0.9, 0, 3)


def test_padding_stands_at_the_left_and_media_have_the_type_of_the_weights() -> None:
    made = left_padded([[5, 6, 7], [8]], 0, "cpu")
    assert made["input_ids"].tolist() == [[5, 6, 7], [0, 0, 8]]
    assert made["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    model: Any = small_model("llama").to(torch.bfloat16)
    moved = on_device({"pixel_values": torch.zeros(1), "ids": torch.zeros(1, dtype=torch.long)}, model)
    assert [tensor.dtype for tensor in moved.values()] == [torch.bfloat16, torch.long]
