"""Turns tokens into text as they come, character by character whole. Knows nothing of what the text means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers.decoders import DecodeStream

from manus.data.forms.call_forms import CALL_MARKS
from manus.data.forms.thought_format import CLOSE, OPEN
from manus.data.forms.tool_format import CLOSE as END_OF_CALL
from manus.data.forms.tool_format import OPEN as CALL

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Written as tokens of their own by some vocabularies, and still a part of what is said.
KEPT = (OPEN, CLOSE, CALL, END_OF_CALL, *CALL_MARKS)


class Words:
    """The text of one answer. A character of several tokens comes with the last of them; special tokens are left out."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.backend = tokenizer.backend_tokenizer  # type: ignore[attr-defined]
        special = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
        self.left_out = {token for token, text in special if not any(mark in text for mark in KEPT)}
        self.stream = DecodeStream(skip_special_tokens=False)

    def add(self, token: int) -> str:
        """Return the text that a further token completes."""
        if token in self.left_out:
            return ""
        return self.stream.step(self.backend, token) or ""
