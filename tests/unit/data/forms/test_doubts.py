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
        ("['Paris', 'Lyon']", "a list as Python"),
        ("Paris END", "separators"),
        ("CafÃ© is nice", "read as another encoding"),
        ("Itâ€™s Paris", "read as another encoding"),
        ("Par\x00is", "control characters"),
        ("AI: Paris", "begins with a mark of who speaks"),
        ("assistant: Paris", "begins with a mark of who speaks"),
        ("<think>\nt\n</think>", "a thought without an answer"),
        ("<think>\nt and Paris", "a thought that does not end"),
        ("<think>t</think>x<think>u</think>Paris", "with several thoughts"),
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
        ("Write French", "Café, São Tomé, Â la carte"),
        ("Colour this", "\x1b[31mred\x1b[0m"),
        ("What is <think>?", "The tag <think> opens a thought."),
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


@pytest.mark.parametrize("answer", ["['4']", "\\boxed{None}"])
def test_an_expected_answer_that_may_be_none_is_named(answer: str) -> None:
    prompt = Columns.of({"prompt": "q", "answer": answer})
    (only,) = prompt.unread(read_prompt(prompt, cot.read, cot.can_score))
    assert only.startswith("the expected answer")


def test_what_a_question_is_about_and_system_texts_that_may_be_nothing_are_named() -> None:
    row = {"instruction": "q", "output": "a"}
    assert _named({**row, "input": "-"}) == ["input ('-', left as it stands)"]
    assert _named({**row, "input": "none"}) == ["input ('none', left as it stands)"]
    assert _named({**row, "system": "-"}) == ["system ('-', left as it stands)"]


@pytest.mark.parametrize("said", ["<f><x>1</x></f>", "await f({x: '1'})"])
def test_calls_by_tags_and_in_other_languages_are_refused(said: str) -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": said}]
    with pytest.raises(RowError, match="it calls"):
        as_messages({"messages": turns, "tools": [{"name": "f", "parameters": {}}]})


def test_a_prompt_with_marks_of_gpt_jt_is_refused() -> None:
    with pytest.raises(RowError, match="a template wrote already"):
        as_messages({"prompt": "<human>: q\n<bot>:", "response": "a"})


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
        ("one<|endoftext|>two", "marks of a tokenizer"),
        ("Itâ€™s", "another encoding"),
        ("Caf\ufffd", "another encoding"),
        ("a\x00b", "control characters"),
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

    assert named({"x": 5}) == ["a call of f (with an argument of another type, learned as it stands)"]
    assert named({}, required=["x"]) == [
        "a call of f (without an argument that it requires, learned as it stands)"
    ]
    assert named({"x": None}, required=["x"]) == [
        "a call of f (with an argument of another type, learned as it stands)"
    ]
    few = {"x": {"type": "string", "enum": ["a"]}}
    (only,) = named({"x": "b"}, properties=few)
    assert "none of those it may be" in only and named({"x": "a"}, properties=few) == []
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


@pytest.mark.parametrize(
    "answer", ["[10, 20, 30, 40]", "(10,20),(30,40)", "<bbox>1,2</bbox>", "click(x=512, y=300)"]
)
def test_places_in_pictures_are_named_beside_a_picture_alone(answer: str) -> None:
    row = {"question": "Where is the cat?", "answer": answer}
    (only,) = _named({"image": "a.png", **row}, as_media_messages)
    assert "places in a picture" in only
    assert _named({"audio": "a.wav", **row}, as_media_messages) == _named(row) == []


@pytest.mark.parametrize("question", ["![](a.png)\nq", "<img src='a.png'> q", "data:image/png;base64,iVBO q"])
def test_addresses_of_pictures_in_a_question_are_named(question: str) -> None:
    (only,) = _named({"question": question, "answer": "a"})
    assert "picture's address" in only


@pytest.mark.parametrize("mark", ["&lt;image&gt;", "<Image>"])
def test_marks_of_a_picture_in_other_letters_are_refused(mark: str) -> None:
    with pytest.raises(RowError, match="a mark of another model's"):
        as_media_messages({"image": "a.png", "question": f"{mark} q", "answer": "a"})


def test_an_answer_that_is_none_of_the_choices_is_named() -> None:
    row = {"question": "Which?", "choices": ["red", "blue"]}
    assert _named({**row, "answer": "green"}) == ["an answer (none of the choices, learned as it stands)"]
    assert _named({**row, "answer": "blue"}) == _named({**row, "answer": ["A", "B"]}) == []


def test_a_thought_beside_no_answer_is_named() -> None:
    said = {"role": "assistant", "content": "", "reasoning_content": "t"}
    (only,) = _named({"messages": [{"role": "user", "content": "q"}, said]})
    assert "a thought without an answer" in only


def test_invisible_characters_are_no_answer() -> None:
    with pytest.raises(RowError, match="invisible characters alone"):
        as_messages({"question": "q", "answer": "\u200b"})


def test_a_round_without_an_answer_is_refused() -> None:
    with pytest.raises(RowError, match="round without an answer"):
        as_messages({"history": [["h", None]], "instruction": "q", "output": "a"})


def test_results_that_the_user_says_in_tags_are_results() -> None:
    call = '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'
    said = "<tool_response>\n1\n</tool_response>\n<tool_response>2</tool_response>"
    turns = [("user", "q"), ("assistant", call), ("user", said), ("assistant", "a")]
    messages = as_messages({"messages": [{"role": role, "content": text} for role, text in turns]})[
        "messages"
    ]
    assert [(one["role"], one["content"]) for one in messages[2:]] == [
        ("tool", "1"),
        ("tool", "2"),
        ("assistant", "a"),
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [("[Music]", "a noise"), ("(laughs)", "a noise"), ("[00:00.000 --> 00:02.000] hello", "times")],
)
def test_transcripts_that_may_be_none_are_named(text: str, named: str) -> None:
    (only,) = _named({"audio": "a.wav", "text": text}, as_media_messages)
    assert named in only


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
