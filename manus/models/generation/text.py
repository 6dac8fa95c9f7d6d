"""Makes text of tokens as they come. Knows nothing of who says them."""

from __future__ import annotations

from tokenizers.decoders import DecodeStream
from transformers import PreTrainedTokenizerBase


class Stream:
    """The text of one answer, piece by piece: all pieces together are the text of all its tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.text = ""
        self._ids: list[int] = []
        self._decoding = DecodeStream(skip_special_tokens=True)

    def add(self, token: int) -> str:
        """Return what a token adds to the text; nothing of special tokens, and while a character lacks bytes."""
        self._ids.append(token)
        piece: str = self._decoding.step(self.tokenizer.backend_tokenizer, token) or ""
        self.text += piece
        return piece

    def end(self) -> str:
        """Return what is left when no token follows: bytes that have become no character."""
        whole: str = self.tokenizer.decode(self._ids, skip_special_tokens=True)
        piece = whole.removeprefix(self.text) if whole.startswith(self.text) else ""
        self.text += piece
        return piece
