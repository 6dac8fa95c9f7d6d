"""Sees to it that a tokenizer's special tokens are among those that its model has embeddings for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from manus.errors import ModelError
from manus.models.detection.text_facts import text_facts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def fit_special_tokens(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Pad with the end-of-text token where the model has no embedding for the padding token.

    Args:
        tokenizer: one with an end-of-text token and a chat template; its padding token may change.
        folder: the model's, with its `config.json`.

    Raises:
        ModelError: the model has no embedding for a token that every text or chat holds.
    """
    file = folder / "config.json"
    embedded = text_facts(json.loads(file.read_text(encoding="utf-8"))).vocab_size if file.is_file() else None
    if embedded is None:
        return
    template = str(tokenizer.chat_template)
    written = {text: id_ for text, id_ in tokenizer.get_added_vocab().items() if text in template}
    written[str(tokenizer.eos_token)] = int(tokenizer.eos_token_id)  # type: ignore[arg-type]
    for text, id_ in written.items():
        if id_ >= embedded:
            raise ModelError(
                f"{folder}: the tokenizer's token {text!r} has the id {id_}, and the model "
                f"has embeddings for {embedded} tokens; give the tokenizer that belongs to the model, "
                "or a model whose embeddings were resized for it"
            )
    if tokenizer.pad_token_id is None or int(tokenizer.pad_token_id) >= embedded:  # type: ignore[arg-type]
        tokenizer.pad_token = tokenizer.eos_token
