"""Text comes piece by piece, and all pieces are the text of all tokens."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken

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


def test_a_character_of_several_tokens_comes_whole_and_special_tokens_do_not_come() -> None:
    words = tokenizer()
    ids = [*words("naïve 🦜", add_special_tokens=False)["input_ids"], words.eos_token_id]
    assert len(ids) > len("naïve 🦜")
    stream = Stream(words)
    assert "🦜" in [stream.add(token) for token in ids] and stream.text == "naïve 🦜"


def test_marks_that_a_vocabulary_calls_special_are_kept_where_they_are_asked_for() -> None:
    words = tokenizer()
    words.add_tokens([AddedToken("<call>", special=True), AddedToken("<pad2>", special=True)])
    ids = words("<call>a<pad2>", add_special_tokens=False)["input_ids"]
    for kept, said in [((), "a"), (("<call>",), "<call>a")]:
        stream = Stream(words, kept)
        assert "".join(map(stream.add, ids)) + stream.end() == said
