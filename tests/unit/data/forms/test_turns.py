"""What a turn says is read once and whole, and what is not read of it is named."""

from __future__ import annotations

from typing import Any

import pytest

from manus.data.forms.columns import Columns
from manus.data.forms.messages import as_messages
from manus.data.sample import RowError

ASKED = {"role": "user", "content": "q"}


def read(*turns: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return what turns say, and which of their keys nothing reads."""
    row = Columns.of({"messages": list(turns)})
    sample = as_messages(row)
    return [message["content"] for message in sample["messages"]], row.unread(sample)


def said(**answer: Any) -> tuple[str, list[str]]:
    contents, unread = read(ASKED, {"role": "assistant", **answer})
    return contents[-1], unread


THOUGHT = "<think>\nhm\n</think>\na"


@pytest.mark.parametrize(
    ("answer", "content", "unread"),
    [
        ({"content": "a", "reasoning_content": "hm"}, THOUGHT, []),
        ({"content": THOUGHT, "reasoning_content": "hm"}, THOUGHT, []),
        ({"content": "a", "reasoning_content": "hm", "reasoning": "hm"}, THOUGHT, []),
        (
            {"content": "a", "reasoning_content": "hm", "reasoning": "other"},
            THOUGHT,
            ["messages[].reasoning"],
        ),
        ({"content": "a", "thinking": True}, "a", ["messages[].thinking"]),
        ({"content": "a", "value": "b"}, "a", ["messages[].value"]),
        ({"content": "a", "value": "a"}, "a", []),
        ({"content": "a", "from": "human"}, "a", ["messages[].from"]),
    ],
)
def test_keys_that_say_the_same_are_read_once_and_others_are_named(
    answer: dict[str, Any], content: str, unread: list[str]
) -> None:
    assert said(**answer) == (content, unread)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"content": THOUGHT, "reasoning_content": "other"}, "turn 2: .* another one in its text"),
        ({"content": "a", "thinking": {"text": "hm"}}, "turn 2: the content is an object"),
        (
            {"content": [{"type": "text", "content": "lost"}, {"type": "text", "text": "a"}]},
            "turn 2: .* without 'text'",
        ),
    ],
)
def test_what_would_be_lost_or_said_twice_is_refused(answer: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        said(**answer)


def test_calls_and_thoughts_of_a_user_are_named() -> None:
    call = {"function": {"name": "w", "arguments": {}}}
    turn = {**ASKED, "tool_calls": [call], "reasoning_content": "hm"}
    assert read(turn, {"role": "assistant", "content": "a"})[1] == [
        "messages[].reasoning_content",
        "messages[].tool_calls",
    ]


def test_parts_of_openais_newer_interface_are_texts() -> None:
    parts = [{"type": "output_text", "text": "a", "annotations": []}]
    contents, _ = read(
        {"role": "user", "content": [{"type": "input_text", "text": "q"}]},
        {"role": "assistant", "content": parts},
    )
    assert contents == ["q", "a"]


@pytest.mark.parametrize(
    "turn",
    [
        {"human": "q", "assistant": "a"},
        {"input": "q", "output": "a"},
        {"question": "q", "answer": "a"},
        {"User": "q", "Bot": "a"},
    ],
)
def test_a_question_and_its_answer_in_one_turn(turn: dict[str, str]) -> None:
    assert read({**turn, "topic": "t"}) == (["q", "a"], ["messages[].topic"])


def results(*ids: str | None) -> list[str]:
    """Return the order in which the results of the calls `a` and `b` are read."""
    calls = [{"id": name, "function": {"name": "w", "arguments": {"c": name}}} for name in "ab"]
    turns = [{"role": "tool", "tool_call_id": name, "content": f"of {name}"} for name in ids]
    contents, unread = read(
        ASKED, {"role": "assistant", "tool_calls": calls}, *turns, {"role": "assistant", "content": "done"}
    )
    assert unread == []
    return contents[2:-1]


def test_results_stand_in_the_order_of_their_calls() -> None:
    assert results("b", "a") == results("a", "b") == ["of a", "of b"]
    assert results("b", "z") == ["of b", "of z"]
    parts = [{"type": "tool_use", "id": name, "name": "w", "input": {}} for name in "ab"]
    answered = [{"type": "tool_result", "tool_use_id": name, "content": f"of {name}"} for name in "ba"]
    contents, _ = read(
        ASKED,
        {"role": "assistant", "content": parts},
        {"role": "user", "content": answered},
        {"role": "assistant", "content": "done"},
    )
    assert contents[2:-1] == ["of a", "of b"]


def test_keys_of_turns_in_any_column_are_named() -> None:
    row = Columns.of(
        {
            "prompt": [{**ASKED, "mood": "good"}],
            "completion": [{"role": "assistant", "content": "a", "rank": 1}],
        }
    )
    assert row.unread(as_messages(row)) == ["completion[].rank", "prompt[].mood"]
