"""A chat that a template wrote goes into no other; an answer's own end marks and thoughts are known."""

from __future__ import annotations

import pytest

from manus.data.forms.messages import as_messages
from manus.data.forms.prompts import read_prompt
from manus.data.forms.rendered_chats import closed_and_ended, template_mark
from manus.data.sample import RowError

RENDERED = [
    "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n",
    "<s>[INST] q [/INST]",
    "q [/INST]",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nq<|eot_id|>",
    "<bos><start_of_turn>user\nq<end_of_turn>\n<start_of_turn>model\n",
    "<|user|>\nq</s>\n<|assistant|>\n",
    "<|prompter|>q<|endoftext|><|assistant|>",
    "<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜>",
    "GPT4 Correct User: q<|end_of_turn|>GPT4 Correct Assistant:",
    "A chat between a user and an assistant. USER: q ASSISTANT:",
    "Be kind.\n\nHuman: q\n\nAssistant:",
    "User: q\nAI:",
    "[USER] q [ASSISTANT]",
    "q\n<extra_id_1>Assistant\na\n<extra_id_1>User\nr",
]
WORDS = [
    "What does <|im_start|>user mean?",
    "Explain the mark [INST] and what [/INST] closes.",
    "Is <|user|> a token?",
    "Why is there <extra_id_1>User in my file?",
    "<s>old</s> and new",
]


@pytest.mark.parametrize("text", RENDERED)
def test_a_prompt_that_a_template_wrote_is_refused(text: str) -> None:
    assert template_mark(text) is not None
    with pytest.raises(RowError, match=r"turn 1 \(user\) is a chat that a template wrote already"):
        as_messages({"prompt": text, "completion": "a"})


@pytest.mark.parametrize("text", WORDS)
def test_words_about_marks_are_words(text: str) -> None:
    assert as_messages({"prompt": text, "completion": "a"})["messages"][0]["content"] == text


@pytest.mark.parametrize(
    "mark", ["</s>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>", "<|end|>\n"]
)
def test_a_mark_that_ended_the_answer_is_not_learned_as_words(mark: str) -> None:
    row = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": f"a{mark}"}]}
    assert as_messages(row)["messages"][-1]["content"] == "a"


def test_html_keeps_the_end_of_what_is_struck_out() -> None:
    assert closed_and_ended("It was <s>ten</s>") == "It was <s>ten</s>"


def test_a_thought_that_the_prompt_opened_is_opened() -> None:
    assert closed_and_ended("Two and two.\n</think>\n\n4") == "<think>\nTwo and two.\n</think>\n\n4"
    for text in ("<think>\nt\n</think>\n4", "Write </think> behind it.", "\n</think>\n4"):
        assert closed_and_ended(text) == text


def test_an_answer_that_a_template_wrote_is_refused() -> None:
    text = "<|channel|>analysis<|message|>t<|end|><|start|>assistant<|channel|>final<|message|>a"
    with pytest.raises(RowError, match=r"turn 2 \(assistant\) is a chat that a template wrote already"):
        as_messages({"prompt": "q", "completion": text})


def test_a_prompt_for_rewards_that_a_template_wrote_is_refused() -> None:
    row = {"prompt": RENDERED[0], "answer": "5"}
    with pytest.raises(RowError, match=r"turn 1 \(user\) is a chat that a template wrote already"):
        read_prompt(row, as_messages, lambda sample: bool(sample.get("answer")))


def test_an_answer_that_holds_the_next_turn_too_is_refused() -> None:
    text = "a<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nr"
    with pytest.raises(RowError, match=r"turn 2 \(assistant\) is a chat that a template wrote already"):
        as_messages({"prompt": "q", "completion": text})


def test_marks_around_what_is_said_are_left_out() -> None:
    row = {
        "messages": [
            {"role": "user", "content": "q<|im_end|>"},
            {"role": "assistant", "content": "<s> a</s>"},
        ]
    }
    assert [message["content"] for message in as_messages(row)["messages"]] == ["q", "a"]
