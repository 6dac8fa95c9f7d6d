"""Rows of which something could be lost or mistaken in silence are read as they mean it, or refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from manus.capabilities import cot, hearing, video_understanding, vision_qa
from manus.data.forms.columns import Columns
from manus.data.forms.media import as_media_messages
from manus.data.forms.messages import as_messages, as_text
from manus.data.forms.pairs import read_pair
from manus.data.forms.prompts import read_prompt
from manus.data.sample import NotLearned, RowError
from tests.unit.data.forms.test_published_rows import read


def user(text: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def said(text: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


ROUND = [["first", "one"]]
EARLIER = [user("first"), said("one")]
LAST = [user("second"), said("two")]
CONVERSATIONS: list[dict[str, Any]] = [
    {"messages": LAST},
    {"conversations": [{"from": "human", "value": "second"}, {"from": "gpt", "value": "two"}]},
]


@pytest.mark.parametrize("reader", [as_messages, as_media_messages])
@pytest.mark.parametrize("row", CONVERSATIONS)
def test_earlier_rounds_beside_a_conversation_are_refused_unless_it_begins_with_them(
    row: Any, reader: Any
) -> None:
    with pytest.raises(
        RowError, match="earlier rounds in 'history' beside a conversation that does not begin with them"
    ):
        reader(row | {"history": ROUND})
    whole = {"messages": [{"role": "system", "content": "S"}, *EARLIER, *LAST], "history": ROUND}
    turns, unread = read(whole, reader)
    assert len(turns) == 5 and unread == []


def test_earlier_rounds_of_pairs() -> None:
    row = {"messages": LAST, "rejected_response": "three", "history": ROUND}
    with pytest.raises(RowError, match="'history' beside a conversation"):
        read_pair(row, as_messages)
    row = {"query": "second", "response": "two", "rejected_response": "three", "history": ROUND}
    assert [m["content"] for m in read_pair(row, as_messages)["messages"]] == [
        "first",
        "one",
        "second",
        "two",
    ]


def test_keys_of_earlier_rounds_that_nothing_reads_are_named() -> None:
    row = {"prompt": "second", "response": "two", "history": [user("first", mood="x"), said("one")]}
    assert read(row)[1] == ["history[].mood"]


@pytest.mark.parametrize(
    "label",
    [
        {"label": 0},
        {"label": "bad"},
        {"correct": 0},
        {"kto_tag": "false"},
        {"kto_label": False},
        {"rating": "bad"},
        {"feedback": "negative"},
        {"vote": -1},
        {"thumbs": "down"},
        {"reaction": "👎"},
        {"status": "rejected"},
        {"quality": "bad"},
        {"label": "undesired"},
    ],
)
def test_bad_answers_are_not_imitated_whether_the_turn_or_the_row_says_so(label: dict[str, Any]) -> None:
    with pytest.raises(RowError, match=r"turn 2: .* labels it as a bad answer"):
        as_messages({"messages": [user("q"), said("a", **label), *LAST]})
    with pytest.raises(RowError, match="labelled as bad"):
        as_messages({"prompt": "q", "completion": "a", **label})
    row = {"messages": [user("q"), said("a", train=False, **label), *LAST]}
    assert as_messages(row)["messages"][1]["learn"] is False


@pytest.mark.parametrize(
    "grade", [{"rating": 1}, {"rating": "4"}, {"status": "done"}, {"feedback": "well said"}, {"vote": 0}]
)
def test_grades_on_a_scale_that_nobody_knows_are_named(grade: dict[str, Any]) -> None:
    assert read({"prompt": "q", "completion": "a", **grade})[1] == list(grade)


@pytest.mark.parametrize(("reader", "more"), [(as_messages, {}), (as_media_messages, {"images": ["a.png"]})])
def test_of_a_prompt_and_its_completion_only_this_is_learned(reader: Any, more: dict[str, Any]) -> None:
    """As TRL has it; turns of the prompt that ask for it are learned too."""
    row = {"prompt": [user("q"), said("one"), user("r")], "completion": [said("two")], **more}
    assert [m.get("learn") for m in reader(row)["messages"]] == [None, False, None, None]
    row["prompt"][1]["train"] = True
    assert [m.get("learn") for m in reader(row)["messages"]] == [None, True, None, None]
    text = {"prompt": "\n\nHuman: q\n\nAssistant: one\n\nHuman: r\n\nAssistant:", "completion": " two"}
    assert [m.get("learn") for m in as_messages(text)["messages"]] == [None, False, None, None]
    history = {"prompt": "r", "response": "two", "history": [["q", "one"]]}
    assert not any("learn" in m for m in as_messages(history)["messages"])
    with pytest.raises(
        RowError, match="'prompt' ends with a turn of the assistant, which the answer goes on with"
    ):
        reader({"prompt": [user("q"), said("The")], "completion": [said(" sky")], **more})


def test_ranked_answers_are_not_taken_by_their_number() -> None:
    row = {"question": "q", "answers": [{"answer": "worse", "rank": 2.0}, {"answer": "better", "rank": 1.0}]}
    for reader in (as_messages, vision_qa.read):
        with pytest.raises(RowError, match="have a rank"):
            reader(row | ({"image": "a.png"} if reader is vision_qa.read else {}))
    row = {"question": "q", "answers": [{"answer": "a", "answer_id": 1, "mood": "x"}]}
    assert read(row)[1] == ["answers[].mood"]


def test_a_result_that_is_missing_is_not_replaced_by_anothers() -> None:
    calls = [{"id": n, "function": {"name": "w", "arguments": {}}} for n in ("1", "2")]
    tools = [{"name": "w", "parameters": {"type": "object", "properties": {}}}]
    results = [{"role": "tool", "tool_call_id": n, "content": n} for n in ("2", "1")]
    whole = {"messages": [user("q"), said(None, tool_calls=calls), *results, said("ok")], "tools": tools}
    assert [text for role, text in read(whole)[0] if role == "tool"] == ["1", "2"]
    with pytest.raises(RowError, match="turn 4: the call '1' has no result before it, and others have"):
        as_messages(whole | {"messages": [*whole["messages"][:3], said("ok")]})


def test_system_texts_of_several_columns() -> None:
    assert read({"instructions": "S", "input": "q", "output": "a"})[0][0] == ("system", "S")
    same = {"system": "S", "system_prompt": "S", "prompt": "q", "completion": "a"}
    assert read(same) == ([("system", "S"), ("user", "q"), ("assistant", "a")], [])
    with pytest.raises(RowError, match="'system' and 'system_prompt' have different system texts"):
        as_messages(same | {"system_prompt": "T"})


@pytest.mark.parametrize("nothing", ["<noinput>", "Noinput", "No input", math.nan, ""])
def test_an_input_that_says_that_there_is_none_is_none(nothing: Any) -> None:
    row = {"instruction": "q", "input": nothing, "output": "a", "system": math.nan}
    assert read(row) == ([("user", "q"), ("assistant", "a")], [])


def test_what_is_no_number_is_no_answer() -> None:
    with pytest.raises(RowError, match="'answer' names no answer"):
        as_messages({"question": "q", "answer": math.nan})


@pytest.mark.parametrize("nothing", ["nan", "NaN", "None", "null", "N/A"])
def test_what_a_program_wrote_where_there_is_nothing_is_left_out_and_named(nothing: str) -> None:
    row = {"instruction": "q", "input": nothing, "output": "a", "system": nothing}
    assert read(row) == ([("user", "q"), ("assistant", "a")], [f"input ({nothing!r}, left out)"])
    turns = [{"role": "system", "content": nothing.lower()}, user("q"), said("a")]
    assert read({"messages": turns})[0] == [("user", "q"), ("assistant", "a")]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "completion": "nan"},
        {"messages": [user("q"), said("nan")]},
    ],
)
def test_an_answer_of_nan_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(RowError, match=r"turn 2 \(assistant\) is 'nan', which pandas writes"):
        as_media_messages(row)


@pytest.mark.parametrize("nothing", ["nan", "None", "null"])
def test_a_caption_of_nothing_is_refused(nothing: str) -> None:
    with pytest.raises(RowError, match=f"'text' is {nothing!r}, as programs write it"):
        as_media_messages({"audio": "a.wav", "text": nothing})


def test_what_was_not_written_down_is_no_transcript() -> None:
    with pytest.raises(RowError, match="no speech is heard: ignore_time_segment_in_scoring"):
        as_media_messages({"audio": "a.wav", "text": "ignore_time_segment_in_scoring"})


def test_words_of_a_program_beside_what_is_meant_are_left_out() -> None:
    tool = {"type": "function", "function": {"name": "w", "parameters": {"type": "object", "properties": {}}}}
    call = {"function": {"name": "w", "arguments": "{}"}}
    turns = [user("q"), said("None", tool_calls=[call]), {"role": "tool", "content": "3"}]
    messages = as_messages({"messages": [*turns, said("a", reasoning_content="None")], "tools": [tool]})[
        "messages"
    ]
    assert messages[1]["content"].startswith("<tool_call>") and messages[3]["content"] == "a"
    row = {"instruction": "nan", "input": "q", "output": "a"}
    assert read(row) == ([("user", "q"), ("assistant", "a")], ["instruction ('nan', left out)"])
    with pytest.raises(RowError, match=r"turn 1 \(user\) is 'nan'"):
        as_messages({"messages": [user("nan"), said("a")]})


def test_what_a_program_wrote_is_no_choice_at_the_end() -> None:
    row = {"question": "q", "A": "x", "B": "y", "C": "nan", "D": math.nan, "answer": "B"}
    assert read(row)[0] == [("user", "q\nA. x\nB. y"), ("assistant", "B. y")]
    assert read({**row, "answer": "C"})[0][1] == ("assistant", "C. nan")


def test_what_changes_the_template_of_one_row_is_refused() -> None:
    with pytest.raises(
        RowError,
        match=r"'enable_thinking' changes the chat template for one row.*ignore: \[enable_thinking\]",
    ):
        as_messages({"messages": LAST, "enable_thinking": False})


@pytest.mark.parametrize("column", ["final_answer", "reference_answer", "solution"])
def test_answers_to_compare_with(column: str) -> None:
    row = {"question": "2 + 2?", column: "<answer> 4 </answer>"}
    assert read_prompt(row, cot.read, cot.can_score)["answer"] == "4"


def test_texts_have_flags_too() -> None:
    with pytest.raises(NotLearned):
        as_text({"text": "t", "train": False})
    with pytest.raises(RowError, match="labelled as bad"):
        as_text({"text": "t", "is_good": False})
    assert as_text({"text": "t", "label": 0}) == {"text": "t"}


@pytest.mark.parametrize(
    "value", [{"bytes": b"x", "path": None}, b"x", "a.png", ["a.png"], "data:image/png;base64,aGk="]
)
def test_a_question_about_a_medium_in_an_unknown_column_is_not_learned_blind(value: Any) -> None:
    row = {"picture": value, "question": "q", "answer": "a"}
    with pytest.raises(
        RowError, match=r"'picture' holds a medium, and is not known to: say columns: \{image: picture\}"
    ):
        vision_qa.read(row)
    assert vision_qa.read(
        {"source": "http://a/b.png", "id": "a.png", "file": "src/a.ts", "question": "q", "answer": "a"}
    )
    assert "picture" in read(row | {"image": "b.png"}, vision_qa.read)[1]


def test_llava_marks_a_clip_as_a_picture() -> None:
    row = {
        "video": "a.mp4",
        "conversations": [{"from": "human", "value": "<image>\nq"}, {"from": "gpt", "value": "a"}],
    }
    assert video_understanding.read(row)["messages"][0]["content"] == "<|video|>\nq"
    with pytest.raises(RowError, match="more places for video"):
        vision_qa.read(
            row
            | {"conversations": [{"from": "human", "value": "<image> <image> q"}, row["conversations"][1]]}
        )


def test_gigaspeechs_words_for_punctuation_are_punctuation() -> None:
    row = {"audio": {"bytes": b"x"}, "text": "HELLO <COMMA> YOU <QUESTIONMARK>"}
    assert hearing.read(row)["messages"][-1]["content"] == "hello, you?"
    with pytest.raises(RowError, match="no speech is heard: <music>"):
        hearing.read(row | {"text": "<MUSIC>"})


def test_candidates_are_choices_where_the_answer_is_one_of_them() -> None:
    row = {"video": "a.mp4", "question": "q", "candidates": ["x", "y"], "answer": "y"}
    sample = video_understanding.read(row)
    assert [m["content"] for m in sample["messages"]] == ["<|video|>\nq\nA. x\nB. y", "B. y"]
    drafts = Columns.of({"question": "q", "candidates": ["draft"], "answer": "y"})
    assert drafts.unread(as_messages(drafts)) == ["candidates"]


def test_functions_that_a_system_text_lists_as_python_are_seen() -> None:
    listed = [
        {
            "name": "w",
            "description": "d",
            "parameters": {"type": "object", "properties": {"c": {"type": "string"}}},
        }
    ]
    turns = [
        {"role": "system", "content": f"Use these: {listed}"},
        user("q"),
        said('Action: w\nAction Input: {"c": "Oslo"}'),
    ]
    with pytest.raises(RowError, match="turn 3: it calls a function in a form that is not read"):
        as_messages({"messages": turns})


@pytest.mark.parametrize(
    ("medium", "column", "question"),
    [
        ({"audio": "a.wav"}, "caption", "Describe the sound."),
        ({"audio": "a.wav"}, "captions", "Describe the sound."),
        ({"audio": "a.wav"}, "sentence", "Transcribe the speech."),
        ({"video": "a.mp4"}, "transcript", "Transcribe the speech."),
        ({"video": "a.mp4"}, "caption", "Describe the video."),
        ({"image": "a.png"}, "transcription", "Read the text in the image."),
        ({"image": "a.png"}, "text", "Describe the image."),
    ],
)
def test_what_is_asked_is_what_the_column_answers(medium: dict[str, str], column: str, question: str) -> None:
    sample = as_media_messages({**medium, column: "a dog"})
    assert sample["messages"][0]["content"].partition("\n")[2] == question
    assert sample["messages"][1]["content"] == "a dog"


@pytest.mark.parametrize(
    "written",
    [
        "\\frac{a}{b}",
        "x^2 + \\sqrt{y}",
        "# Report\n\nAll is well.",
        "E = m c ^ { 2 }",
        "x_{1} = 3",
        "aB3xY",
        "| a | b |\n|---|---|",
    ],
)
def test_formulas_and_pages_are_read_not_described(written: str) -> None:
    sample = as_media_messages({"image": "a.png", "text": written})
    assert sample["messages"][0]["content"].endswith("Read the text in the image.")
    for seen in ("a bill of $5, 50% off", "# 1 fan", "C:\\new\\beta folder"):
        described = as_media_messages({"image": "a.png", "text": seen})
        assert described["messages"][0]["content"].endswith("Describe the image.")


@pytest.mark.parametrize("code", ["<html><body>x</body></html>", "<svg/>", '{"menu": 1}', "import math"])
def test_code_beside_a_picture_is_no_description(code: str) -> None:
    with pytest.raises(RowError, match="'text' begins as code does"):
        as_media_messages({"image": "a.png", "text": code})
    row = {"image": "a.png", "question": "Write the page.", "answer": code}
    assert as_media_messages(row)["messages"][1]["content"] == code


def test_a_text_of_a_part_of_a_video_is_not_guessed_to_be_a_caption() -> None:
    part = {"video": "a.mp4", "end": 2.0}
    with pytest.raises(RowError, match="'text' of a part of a video may say what is seen, or what is said"):
        as_media_messages({**part, "text": "and then we go"})
    asked = as_media_messages({**part, "transcript": "and then we go"})["messages"][0]["content"]
    assert asked.endswith("Transcribe the speech.")
