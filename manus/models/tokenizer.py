"""Loads tokenizers that can render chats. Knows nothing of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manus.errors import ModelError, blamed_on

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

# ChatML, for a base whose tokenizer has no chat template; the end-of-text token closes every answer.
DEFAULT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load a tokenizer that can render chats: it gets a plain template when it has none.

    Raises:
        ModelError: the folder has no usable fast tokenizer.
    """
    with blamed_on(f"{folder}: the tokenizer or its chat template cannot be used", ModelError):
        return _load_fitted(folder)


def _load_fitted(folder: Path) -> PreTrainedTokenizerBase:
    from manus.models.native.recognising import has_own_senses
    from manus.models.vocabulary import fit_special_tokens

    if has_own_senses(folder):
        from manus.models.native.processor import fitted_tokenizer, load_processor

        fitted = fitted_tokenizer(load_processor(folder), folder)
        fit_special_tokens(fitted, folder)
        return fitted
    from transformers import AutoTokenizer

    from manus.models.loaders import load_from

    tokenizer: PreTrainedTokenizerBase = load_from(
        AutoTokenizer, folder, f"{folder}: the tokenizer cannot be loaded"
    )
    if not tokenizer.is_fast:
        raise ModelError(
            f"{folder}: {type(tokenizer).__name__} gives no character offsets; a fast tokenizer is needed"
        )
    if tokenizer.eos_token is None:
        raise ModelError(f"{folder}: the tokenizer has no end-of-text token (eos_token)")
    fit_template(tokenizer)
    fit_special_tokens(tokenizer, folder)
    return tokenizer


def fit_template(tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a tokenizer a plain template if it has none; mend one that takes no plain text or ends no answer.

    A model that learns answers without an end does not learn to stop.
    """
    from manus.models.native.processor import BEGINNING, begins_texts, ends_answers, rewriting

    if tokenizer.chat_template is None:
        tokenizer.chat_template = (BEGINNING if begins_texts(tokenizer) else "") + DEFAULT_TEMPLATE
        return
    template = tokenizer.get_chat_template()
    takes_parts_only = ends_answers(tokenizer, template) is None
    if takes_parts_only:
        template = rewriting(into_parts=True, ends_answers=False) + template
    if ends_answers(tokenizer, template) is False:
        template = rewriting(takes_parts_only, ends_answers=True) + tokenizer.get_chat_template()
    if ends_answers(tokenizer, template) and template != tokenizer.get_chat_template():
        tokenizer.chat_template = template
