"""Dialogues that are written as text become turns; marks of who speaks are not learned, nor what the next question is."""

from __future__ import annotations

from typing import Any

import pytest

from manus.data.forms.dialogues import read_dialogue, refuse_going_on
from manus.data.forms.media import as_media_messages
from manus.data.forms.messages import as_messages
from manus.data.forms.pairs import read_pair
from manus.data.sample import RowError
from tests.unit.data.forms.test_flags import learned
from tests.unit.data.forms.test_published_rows import read

Turns = list[tuple[str, str]]


def test_a_text_with_marks_of_who_speaks_becomes_turns() -> None:
    assert read_dialogue("\n\nHuman: q\n\nAssistant: a") == [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    ]
    assert read_dialogue("Human: q") is None


@pytest.mark.parametrize(
    ("question", "answer", "turns"),
    [
        ("Human: q", "Assistant: a", ("q", "a")),
        ("### Human: q", "### Assistant: a", ("q", "a")),
        ("User: q", "Assistant: a", ("q", "a")),
        ("q", "Assistant: a", ("q", "a")),
        ("Human: q", "a", ("q", "a")),
        ("User: q", "a", ("User: q", "a")),
        ("q", "### Response:\na", ("q", "a")),
        ("q", "Assistant: a\nHuman: b", ("q", "Assistant: a\nHuman: b")),
    ],
)
def test_marks_of_who_speaks_are_left_out(question: str, answer: str, turns: tuple[str, str]) -> None:
    expected: Turns = [("user", turns[0]), ("assistant", turns[1])]
    assert read({"prompt": question, "completion": answer}) == (expected, [])


def test_a_mark_behind_a_picture_is_left_out() -> None:
    row = {"image": "a.png", "question": "<image>\nHuman: q", "answer": "Assistant: a"}
    assert [one["content"] for one in as_media_messages(row)["messages"]] == ["<|image|>\nq", "a"]


def test_marks_of_both_answers_are_left_out() -> None:
    row = {"prompt": "Human: q", "chosen": "Assistant: a", "rejected": "Assistant: b"}
    pair = read_pair(row, as_messages)
    assert [one["content"] for one in pair["messages"]] == ["q", "a"] and pair["rejected"] == "b"


GOES_ON = [
    "a\nHuman: b\nAI: c",
    "[|AI|] a\n[|Human|] b\n[|AI|] c",
    "a\n\nHuman: b\n\nAssistant: c",
    "a\n\nHuman: b",
    "a\nUser: b\nAssistant: c",
    "a\n### Human: b\n### Assistant: c",
    "a\n\nHuman:",
    "a\n<|user|>\nb\n<|assistant|>\nc",
    "a\n<|im_start|>user\nb",
    "a [INST] b [/INST] c",
    "a<|endoftext|>b",
    "a\n\n### Instruction:\nb\n\n### Response:\nc",
]


@pytest.mark.parametrize("answer", GOES_ON)
def test_an_answer_that_asks_the_next_question_itself_is_refused(answer: str) -> None:
    row: dict[str, Any] = {"prompt": "What is a fox?", "completion": answer}
    with pytest.raises(RowError, match=r"turn 2 \(assistant\) goes on with the next question"):
        learned(row)
    chats = [{"role": "user", "content": "What is a fox?"}, {"role": "assistant", "content": answer}]
    with pytest.raises(RowError, match=r"turn 2 \(assistant\) goes on with the next question"):
        refuse_going_on(as_messages({"messages": chats}))
    worse = {"prompt": "What is a fox?", "chosen": "a", "rejected": answer}
    assert refuse_going_on(read_pair(worse, as_messages))["rejected"] == answer  # nobody imitates it


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Write a dialogue.", GOES_ON[0]),
        ("How is it written?", "Like this:\n\nHuman: hi\n\nAssistant: hello"),
        ("Tell a story.", "It woke.\n\nHuman: Who are you?\n\nRobot: Me."),
        ("Call it.", "s = f'[INST] {q} [/INST]'"),
        ("What ends it?", "<|endoftext|> ends it."),
        ("List them.", "Dog: an animal\n\nHuman: a mammal"),
        ("Show the file.", "Host: a\nUser: root"),
    ],
)
def test_answers_that_show_dialogues_are_learned(question: str, answer: str) -> None:
    sample = as_messages({"prompt": question, "completion": answer})
    assert refuse_going_on(sample) is sample


@pytest.mark.parametrize(
    "text", ["a\nUser: b" * 20_000, "a\n" * 100_000, "a [INST]" * 50_000, "a" + "\n" * 200_000]
)
def test_long_texts_take_no_time_that_grows_with_their_square(text: str) -> None:
    sample = as_messages({"prompt": "What is it?", "completion": text + " end"})
    assert refuse_going_on(sample) is sample
