"""What may not be meant is named, row by row; what cannot be is refused."""

from __future__ import annotations

from typing import Any

import pytest

from manus.capabilities import cot
from manus.data.forms.columns import Columns
from manus.data.forms.messages import as_messages, as_text
from manus.data.forms.pairs import read_pair
from manus.data.forms.prompts import read_prompt
from manus.data.sample import RowError

ASKED = "What is the capital of France?"


def _named(row: dict[str, Any], read: Any = as_messages) -> list[str]:
    columns = Columns.of(row)
    return columns.unread(read(columns))


@pytest.mark.parametrize(
    "word", ["N/A", "None", "null", "NaN", "none", "-", "--", "...", "?", "undefined", "TODO", "#N/A"]
)
def test_answers_that_stand_for_nothing_are_named_and_learned(word: str) -> None:
    row = {"instruction": ASKED, "output": word}
    assert as_messages(row)["messages"][-1]["content"] == word
    assert _named(row) == [f"an answer ({word!r}, learned as it stands)"]


@pytest.mark.parametrize(
    "answer", ["Paris", "No", "0", "[]", "{}", "C", "+", "€", "😀", "Nothing", "Unanswerable"]
)
def test_short_answers_are_not_named(answer: str) -> None:
    assert _named({"instruction": ASKED, "output": answer}) == []


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (f"{ASKED} Paris.", "begins with its prompt"),
        ("Paris.\nQ: And of Italy?\nA: Rome.", "goes on with questions"),
        ("Paris.\n\n### Question:\nAnd Italy?\n### Answer:\nRome", "goes on with questions"),
        ("Paris.\nInput: Italy\nOutput: Rome", "goes on with questions"),
        ("b'Paris'", "bytes as Python"),
        ("Paris.\\n\\nIt lies on the Seine.", "ends of lines"),
    ],
)
def test_answers_that_may_hold_more_than_the_answer_are_named(answer: str, named: str) -> None:
    (only,) = _named({"instruction": ASKED, "output": answer})
    assert named in only


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("Write a FAQ about grass.", "Grass.\nQ: Is it green?\nA: Yes."),
        ("Fix it: he go home", "He goes home."),
        ("Say the words twice", "Say the words twice"),
        ("How do I split paragraphs?", 'Use text.split("\\n\\n").'),
        ("Explain Q: learning", "It has a table.\nQ: a table of values"),
    ],
)
def test_answers_that_are_asked_for_so_are_not_named(asked: str, answer: str) -> None:
    assert _named({"instruction": asked, "output": answer}) == []


def test_a_turn_that_is_only_read_is_not_named() -> None:
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "None", "train": False},
        {"role": "user", "content": "None"},
        {"role": "assistant", "content": "a"},
    ]
    assert _named({"messages": turns}) == []


@pytest.mark.parametrize("question", ["nan", "None", "null", "N/A", "-", "[deleted]"])
def test_a_question_that_asks_nothing_is_refused(question: str) -> None:
    with pytest.raises(RowError, match="turn 1"):
        as_messages({"question": question, "answer": "Paris is it"})
    with pytest.raises(RowError, match="turn 1"):
        read_prompt({"question": question, "answer": "4"}, cot.read, cot.can_score)


def test_answers_of_pairs_and_of_prompts_are_named() -> None:
    for better, worse in (("None", "b"), ("b", "None")):
        pair = Columns.of({"prompt": "q", "chosen": better, "rejected": worse})
        assert pair.unread(read_pair(pair, as_messages)) == ["an answer ('None', learned as it stands)"]
    prompt = Columns.of({"question": "q", "final_answer": "N/A"})
    sample = read_prompt(prompt, cot.read, cot.can_score)
    assert prompt.unread(sample) == ["the expected answer ('N/A', compared with as it stands)"]


@pytest.mark.parametrize("text", ["nan", "None", "null", "N/A", "-", "[removed]"])
def test_a_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RowError, match="nothing"):
        as_text({"text": text})


def test_a_text_that_is_a_conversation_as_json_is_named() -> None:
    text = '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}'
    assert _named({"text": text}, as_text) == ["text (a conversation as JSON, learned as it stands)"]
    assert _named({"text": '{"messages": of many kinds'}, as_text) == []


def test_a_system_text_that_holds_a_turn_is_refused() -> None:
    row = {"system": '{"role": "system", "content": "s"}', "instruction": "q", "output": "a"}
    with pytest.raises(RowError, match="'system' is a text that holds a turn"):
        as_messages(row)
