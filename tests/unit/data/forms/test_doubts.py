"""What may not be meant is named, row by row; what cannot be is refused."""

from __future__ import annotations

from typing import Any

import pytest

from manus.capabilities import cot
from manus.data.forms.columns import Columns
from manus.data.forms.media import as_media_messages
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
        (
            "Thought: t\nAction: search[x]\nObservation: o\nFinal Answer: Paris",
            "observations that nobody makes",
        ),
        ("Par\ufffds", "marks of unknown"),
        ("the <unk> of France", "marks of unknown"),
        ('```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "cat"}]\n```', "places in a picture"),
        ("cat<loc_1><loc_2><loc_3><loc_4>", "places in a picture"),
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


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("<s>Hello</s>", "marks of a tokenizer"),
        ("Hello<|endoftext|>", "marks of a tokenizer"),
        ("<|im_start|>user\nq<|im_end|>", "marks of a tokenizer"),
        ("### Instruction:\nq\n\n### Response:\na", "an instruction with its answer"),
    ],
)
def test_a_text_that_was_written_for_a_model_is_named(text: str, named: str) -> None:
    (only,) = _named({"text": text}, as_text)
    assert named in only


def test_a_call_with_arguments_that_its_function_does_not_list_is_named() -> None:
    parameters: dict[str, Any] = {"type": "object", "properties": {"x": {"type": "string"}}}

    def named(arguments: dict[str, Any], **more: Any) -> list[str]:
        call = {"function": {"name": "f", "arguments": arguments}}
        turns = [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [call]}]
        return _named({"messages": turns, "tools": [{"name": "f", "parameters": {**parameters, **more}}]})

    assert named({"y": 1}) == ["a call of f (with arguments that it does not list, learned as it stands)"]
    assert named({"x": "1"}) == named({"y": 1}, additionalProperties=True) == []


@pytest.mark.parametrize("row", [{"query": "q", "answer": "a"}, {"inputs": "q", "targets": "a"}])
def test_names_that_publishers_give_to_questions_and_answers_are_read(row: dict[str, Any]) -> None:
    assert [one["content"] for one in as_messages(row)["messages"]] == ["q", "a"] and _named(row) == []


def test_a_text_beside_a_picture_is_named_as_what_it_is_taken_for() -> None:
    def named(row: dict[str, Any]) -> list[str]:
        return _named({"image": "a.png", **row}, as_media_messages)

    (only,) = named({"text": "Dear Sir, I am writing to you"})
    assert only.startswith("text (taken for a description")
    assert named({"caption": "a cat"}) == named({"text": "x^{2}"}) == []


def test_marks_of_whisper_are_no_transcript() -> None:
    row = {"audio": "a.wav", "text": "<|startoftranscript|><|en|><|transcribe|><|0.00|> hello<|1.00|>"}
    with pytest.raises(RowError, match="Whisper's own marks"):
        as_media_messages(row)


def test_code_between_tags_that_calls_a_function_is_refused() -> None:
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "t\n<code>\nf(x='1')\n</code>"},
    ]
    with pytest.raises(RowError, match="calls a function in code"):
        as_messages({"messages": turns, "tools": [{"name": "f", "parameters": {}}]})


def test_a_system_text_that_holds_a_turn_is_refused() -> None:
    row = {"system": '{"role": "system", "content": "s"}', "instruction": "q", "output": "a"}
    with pytest.raises(RowError, match="'system' is a text that holds a turn"):
        as_messages(row)
