"""What is learned is what the assistant says, in every kind of template."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from manus.data.rendering import DEFAULT_TEMPLATE, render, render_prompt
from manus.data.sample import RowError, Sample
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
    return str(words.decode([token for token, keep in zip(tokens.ids, tokens.is_learned, strict=True) if keep]))


def test_every_answer_is_learned_with_its_end(words: PreTrainedTokenizerFast) -> None:
    assert learned(words, CHAT) == "one<|im_end|>\nthree<|im_end|>\n"


def test_the_prompt_is_what_stands_before_the_answer(words: PreTrainedTokenizerFast) -> None:
    prompt = render_prompt(words, CHAT["messages"][:-1])
    tokens = render(words, CHAT)
    whole = words.decode(tokens.ids)
    assert whole.startswith(prompt) and whole[len(prompt) :] == "three<|im_end|>\n"


def test_a_template_that_rewrites_history_teaches_only_the_last_answer(words: PreTrainedTokenizerFast) -> None:
    words.chat_template = FORGETS_EARLIER_THOUGHTS
    chat: Sample = {"messages": [dict(m) for m in CHAT["messages"]]}  # type: ignore[misc]
    chat["messages"][1]["content"] = "<think>hm</think>one"
    assert learned(words, chat) == "three<|im_end|>\n"


def test_a_template_that_opens_a_thought_in_the_prompt_still_learns_the_answer(words: PreTrainedTokenizerFast) -> None:
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
