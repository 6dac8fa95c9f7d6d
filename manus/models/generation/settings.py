"""Where answers end, and how they are drawn. Knows nothing of how they are computed."""

from __future__ import annotations

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from manus.data.tokens.chat_templates import ends_of_answers
from manus.models.generation.questions import Drawing


def ends_of_turn(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the tokens with which the model, its tokenizer, or its learned chat template, ends a turn."""
    known = model.generation_config.eos_token_id
    told = known if isinstance(known, list) else [known]
    return sorted({tokenizer.eos_token_id, *told, *ends_of_answers(tokenizer)} - {None})


def greedy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_new_tokens: int) -> Drawing:
    """Return how the likeliest answer is drawn."""
    return Drawing(max_new_tokens=max_new_tokens, ends=tuple(ends_of_turn(model, tokenizer)))


def drawn(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    seed: int | None = None,
) -> Drawing:
    """Return how an answer is drawn token by token."""
    return Drawing(
        max_new_tokens=max_new_tokens,
        ends=tuple(ends_of_turn(model, tokenizer)),
        temperature=temperature,
        top_p=top_p,
        seed=seed,
    )
