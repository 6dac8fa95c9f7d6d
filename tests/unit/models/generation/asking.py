"""Prompts for tests, and what `generate` answers to each alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from manus.models.generation.questions import Drawing, Question

ENDS: tuple[int, ...] = ()


def prompts(*lengths: int, seed: int = 1, vocabulary: int = 100) -> list[list[int]]:
    """Return prompts of these lengths, of tokens that are not special."""
    draws = torch.Generator().manual_seed(seed)
    return [torch.randint(5, vocabulary, (length,), generator=draws).tolist() for length in lengths]


def question(ids: Sequence[int], most: int = 8, ends: tuple[int, ...] = ENDS, **drawing: Any) -> Question:
    """Return a question for the likeliest answer, or one that is drawn as said."""
    return Question(ids, Drawing(max_new_tokens=most, ends=ends, **drawing))


def generated(model: Any, ids: Sequence[int], most: int, media: Mapping[str, Any] | None = None) -> list[int]:
    """Return what `generate` says to one prompt alone."""
    row = torch.tensor([list(ids)])
    made = model.generate(
        input_ids=row,
        attention_mask=torch.ones_like(row),
        **(media or {}),
        do_sample=False,
        num_beams=1,
        max_new_tokens=most,
        max_length=None,
        eos_token_id=None,
        pad_token_id=0,
        repetition_penalty=1.0,
    )
    answer: list[int] = made[0, len(ids) :].tolist()
    return answer
