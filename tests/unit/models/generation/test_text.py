"""Text comes piece by piece, and all pieces are the text of all tokens."""

from __future__ import annotations

import pytest

from manus.models.generation.text import Stream
from tests.pico import tokenizer


@pytest.mark.parametrize("text", ["The answer is \\boxed{5}.", "grüße, 你好 👩🏽‍🚀!", "a\n\n  b ", ""])
def test_pieces_are_the_whole(text: str) -> None:
    words = tokenizer()
    ids = [*words(text, add_special_tokens=False)["input_ids"], words.eos_token_id]
    stream = Stream(words)
    pieces = [stream.add(token) for token in ids]
    assert "".join(pieces) + stream.end() == stream.text == text
    assert all("\ufffd" not in piece for piece in pieces)
    assert len(text) < 5 or sum(map(bool, pieces)) > 3


def test_what_is_cut_off_in_a_character_is_not_lost() -> None:
    words = tokenizer()
    ids = words("ab👩", add_special_tokens=False)["input_ids"][:-1]
    stream = Stream(words)
    said = "".join(stream.add(token) for token in ids)
    assert said == "ab" and said + stream.end() == words.decode(ids)
