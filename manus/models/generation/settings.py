"""Where answers end, and how they are drawn. Knows nothing of how they are computed."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from manus.data.tokens.chat_templates import ends_of_answers
from manus.models.generation.questions import Drawing


def ends_of_turn(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the tokens with which the model, its tokenizer, or the chat template that it learned, ends a turn."""
    known = model.generation_config.eos_token_id
    told = known if isinstance(known, list) else [known]
    return sorted({tokenizer.eos_token_id, *told, *ends_of_answers(tokenizer)} - {None})


def greedily(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_new_tokens: int) -> dict[str, Any]:
    """Return `generate`'s settings for the likeliest answer."""
    return {
        "do_sample": False, "num_beams": 1, "temperature": None, "top_p": None, "top_k": None,
        "repetition_penalty": 1.0, "max_new_tokens": max_new_tokens, "max_length": None,
        "eos_token_id": ends_of_turn(model, tokenizer), "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip


def at_random(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_new_tokens: int, temperature: float, top_p: float
) -> dict[str, Any]:
    """Return `generate`'s settings for an answer drawn token by token."""
    drawn = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    return greedily(model, tokenizer, max_new_tokens) | drawn


def greedy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_new_tokens: int) -> Drawing:
    """Return how the likeliest answer is drawn."""
    return Drawing(max_new_tokens=max_new_tokens, ends=tuple(ends_of_turn(model, tokenizer)))


def drawn(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_new_tokens: int, temperature: float, top_p: float,
    seed: int | None = None,
) -> Drawing:  # fmt: skip
    """Return how an answer is drawn token by token."""
    return Drawing(
        max_new_tokens=max_new_tokens, ends=tuple(ends_of_turn(model, tokenizer)), temperature=temperature,
        top_p=top_p, seed=seed,
    )  # fmt: skip
