"""Makes text of tokens as they come, in whole characters. Knows neither who says them nor their meaning."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers.decoders import DecodeStream
from transformers import PreTrainedTokenizerBase


class Stream:
    """The text of one answer, piece by piece: all pieces make the text of all its tokens but special ones."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, kept: Sequence[str] = ()) -> None:
        """Args: the tokenizer; marks whose tokens are text, also where the vocabulary calls them special."""
        self.tokenizer = tokenizer
        self.text = ""
        self._ids: list[int] = []
        self._left_out = special_tokens(tokenizer, kept)
        self._decoding = DecodeStream(skip_special_tokens=False)

    def add(self, token: int) -> str:
        """Return what a token adds to the text; nothing of special tokens, or if a character lacks bytes."""
        if token in self._left_out:
            return ""
        self._ids.append(token)
        piece: str = self._decoding.step(self.tokenizer.backend_tokenizer, token) or ""
        self.text += piece
        return piece

    def end(self) -> str:
        """Return what is left when no token follows: bytes that have become no character."""
        whole: str = self.tokenizer.decode(self._ids, skip_special_tokens=False)
        piece = whole.removeprefix(self.text) if whole.startswith(self.text) else ""
        self.text += piece
        return piece


def special_tokens(tokenizer: PreTrainedTokenizerBase, kept: Sequence[str] = ()) -> set[int]:
    """Return the tokens that a vocabulary or its tokenizer calls special, but those with a mark to keep."""
    named = dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
    added = {token: one.content for token, one in tokenizer.added_tokens_decoder.items() if one.special}
    return {token for token, text in {**added, **named}.items() if not any(mark in text for mark in kept)}
