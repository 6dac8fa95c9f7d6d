"""Loads tokenizers that can render chats. Knows nothing of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manus.errors import ModelError

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
    from manus.models.native.recognising import has_own_senses
    from manus.models.vocabulary import fit_special_tokens

    if has_own_senses(folder):
        from manus.models.native.processor import fitted_tokenizer, load_processor

        fitted = fitted_tokenizer(load_processor(folder), folder)
        fit_special_tokens(fitted, folder)
        return fitted
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(f"{folder}: the tokenizer cannot be loaded: {str(error).splitlines()[0]}") from None
    if not tokenizer.is_fast:
        raise ModelError(f"{folder}: {type(tokenizer).__name__} gives no character offsets; a fast tokenizer is needed")
    if tokenizer.eos_token is None:
        raise ModelError(f"{folder}: the tokenizer has no end-of-text token (eos_token)")
    if tokenizer.chat_template is None:
        tokenizer.chat_template = DEFAULT_TEMPLATE
    fit_special_tokens(tokenizer, folder)
    return tokenizer
