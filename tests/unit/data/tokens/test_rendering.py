"""What is learned is what the assistant says, in every kind of template."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import normalizers
from transformers import PreTrainedTokenizerFast

from manus.data.sample import RowError, Sample
from manus.data.tokens.rendering import _within, _within_by_offsets, encode, render, render_prompt, renderings
from manus.models.tokenizer import DEFAULT_TEMPLATE
from tests.pico import tokenizer

CHAT: Sample = {
    "messages": [
        {"role": "user", "content": "first of 1 2 3"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "and last"},
        {"role": "assistant", "content": "three"},
    ]
}
CHATML = tokenizer().chat_template
FORGETS_EARLIER_THOUGHTS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{{ m['content'] if loop.last else m['content'].split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
OPENS_A_THOUGHT = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n\n</think>\n{% endif")


@pytest.fixture
def words() -> PreTrainedTokenizerFast:
    return tokenizer()


def learned(words: Any, sample: Sample) -> str:
    tokens = render(words, sample)
    assert len(tokens.ids) == len(tokens.is_learned)
    return str(
        words.decode([token for token, keep in zip(tokens.ids, tokens.is_learned, strict=True) if keep])
    )


def test_every_answer_is_learned_with_its_end(words: PreTrainedTokenizerFast) -> None:
    assert learned(words, CHAT) == "one<|im_end|>\nthree<|im_end|>\n"


def test_the_prompt_is_what_stands_before_the_answer(words: PreTrainedTokenizerFast) -> None:
    prompt = render_prompt(words, CHAT["messages"][:-1])
    tokens = render(words, CHAT)
    whole = words.decode(tokens.ids)
    assert whole.startswith(prompt) and whole[len(prompt) :] == "three<|im_end|>\n"


def test_a_template_that_rewrites_history_teaches_each_answer_as_it_was_given(
    words: PreTrainedTokenizerFast,
) -> None:
    words.chat_template = FORGETS_EARLIER_THOUGHTS
    chat: Sample = {"messages": [dict(m) for m in CHAT["messages"]]}  # type: ignore[misc]
    chat["messages"][1]["content"] = "<think>hm</think>one"
    assert learned(words, chat) == "three<|im_end|>\n"
    whole, apart = (words.decode(tokens.ids) for tokens in renderings(words, chat))
    assert "hm" not in whole and apart.endswith("assistant\n<think>hm</think>one<|im_end|>\n")
    assert [tokens.turns for tokens in renderings(words, chat)] == [None, 2]


def test_a_short_answer_is_not_found_in_the_mark_that_ends_it(words: PreTrainedTokenizerFast) -> None:
    words.chat_template = OPENS_A_THOUGHT.replace("\n\n</think>", "")
    for said in ("d", "a long answer", "<|im_end|>"):
        chat: Sample = {"messages": [CHAT["messages"][0], {"role": "assistant", "content": said}]}
        tokens, prompt = render(words, chat), render_prompt(words, chat["messages"][:1])
        assert prompt.endswith("<think>\n") and words.decode(tokens.ids).startswith(prompt)
        assert learned(words, chat) == f"\n</think>\n\n{said}<|im_end|>\n"


def test_an_answer_that_holds_media_is_refused_by_its_turn(words: PreTrainedTokenizerFast) -> None:
    parts: Any = [{"role": "user", "content": "q"}, {"role": "assistant", "content": [{"type": "image"}]}]
    with pytest.raises(RowError, match=r"turn 2 \(assistant\) holds media"):
        render(words, {"messages": parts})


def test_a_template_that_opens_a_thought_in_the_prompt_still_learns_the_answer(
    words: PreTrainedTokenizerFast,
) -> None:
    words.chat_template = OPENS_A_THOUGHT
    assert learned(words, CHAT).startswith("three")


def test_a_base_without_a_template_gets_a_plain_one(words: PreTrainedTokenizerFast) -> None:
    words.chat_template = DEFAULT_TEMPLATE
    assert learned(words, CHAT) == "one<|im_end|>\nthree<|im_end|>\n"


def test_a_text_is_learned_whole_and_ends(words: PreTrainedTokenizerFast) -> None:
    tokens = render(words, {"text": "plain"})
    assert all(tokens.is_learned) and tokens.ids[-1] == words.eos_token_id


def test_a_template_that_refuses_says_so(words: PreTrainedTokenizerFast) -> None:
    words.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(RowError, match="roles must alternate"):
        render(words, CHAT)


@pytest.mark.parametrize("normalizer", [None, normalizers.NFKC(), normalizers.StripAccents()])
def test_marks_by_the_edges_are_those_by_all_offsets(words: PreTrainedTokenizerFast, normalizer: Any) -> None:
    """Characters of several tokens, tokens of several characters, and characters that are no token at all."""
    text = "a\u0301e\u0301\u0301 naïve 😀😀 ﬁne The answer is \\boxed{1} <|im_end|>\n\u0301"
    if normalizer is not None:
        words.backend_tokenizer.normalizer = normalizer
    encoding = encode(words, text)
    seen = set()
    for a in range(len(text)):
        for b in range(a + 1, len(text) + 1):
            marks = _within(encoding, [(a, b)], len(text))
            assert marks == _within_by_offsets(encoding, [(a, b)])
            seen.add(sum(marks))
    assert len(seen) > 20
