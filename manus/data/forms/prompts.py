"""Reads rows that ask something whose answer can be verified. Knows nothing of verifiers or capabilities."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

from manus.data.forms.choices import label_among
from manus.data.forms.columns import Columns, is_empty
from manus.data.forms.dialogues import without_marks
from manus.data.forms.doubts import note_of_answer, refuse_nothing
from manus.data.forms.flags import check_row
from manus.data.forms.questions import asked, choices_of, listed, listed_turns, with_system
from manus.data.forms.service_forms import as_chat
from manus.data.forms.shown_functions import with_functions
from manus.data.forms.tool_schemas import read_tools
from manus.data.forms.turns import read_turns, refuse_rendered
from manus.data.sample import Message, NotLearned, Row, RowError, Sample

_CONVERSATIONS = ("prompt", "messages", "conversations", "conversation")
_QUESTIONS = ("prompt", "question", "question_stem", "query", "problem", "instruction")
_ANSWERS = ("answer", "final_answer", "ground_truth", "reference_answer", "target", "solution")
_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)  # as the formats of R1's followers have it
_BOX = "\\boxed{"
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
_OBJECT = re.compile(r"\s*(?:\{|\[\s*\{)\s*\"")
_KEPT = ("level", "entry")
_FUNCTIONS = ("tools", "functions")


def read_prompt(row: Row, read: Callable[[Row], Sample], can_score: Callable[[Sample], bool]) -> Sample:
    """Return a row as a prompt, with what a verifier needs.

    A row with a worked answer is read as the capability reads it. One that holds only the final answer
    becomes a prompt
    too: the assistant's turn then holds that answer.

    Args:
        row: the row.
        read: how the capability reads it.
        can_score: whether the verifiers find in a sample what they compare with.

    Raises:
        RowError: the row asks nothing, or has no answer where one is needed.
    """
    row, refusal = as_chat(Columns.of(row)), None
    attempt = row.apart()
    try:
        sample = read(attempt)
    except NotLearned:
        raise
    except RowError as error:
        refusal = error
    else:
        if can_score(sample) and not _asks_more(row):
            row.take_over(attempt)
            if sample.get("media") and (final := _final(sample.get("answer", ""))):
                sample["answer"] = final
            for doubt in note_of_answer(sample):
                row.note(doubt)
            return sample
    try:
        bare = _bare(row)
    except RowError as error:
        raise refusal or error from None
    for number, turn in enumerate(bare["messages"], 1):
        if turn["role"] == "user":
            refuse_nothing(number, turn, is_first=number == 1)
            refuse_rendered(number, turn)
    if not can_score(bare):
        raise refusal or RowError("no answer that the verifier could compare with")
    for doubt in note_of_answer(bare):
        row.note(doubt)
    return bare


def _bare(row: Columns) -> Sample:
    """Return a row as a question and its final answer."""
    choosing = next((name for name in _QUESTIONS if choices_of(row, name) is not None), None)
    check_row(row, has_choices=choosing is not None)
    turns, answer = without_marks(question_of(row)), _answer_of(row, choosing)
    bare: Sample = {"messages": [*turns, {"role": "assistant", "content": answer or ""}]}
    bare = cast(Sample, {**bare, **{name: row.take(name) for name in _KEPT if not is_empty(row.get(name))}})
    functions = next((name for name in _FUNCTIONS if row.get(name) is not None), None)
    try:
        if functions is not None and (tools := read_tools(row.take(functions))):
            bare["tools"] = tools
    except ValueError as error:
        raise RowError(str(error)) from None
    if answer:
        bare["answer"] = answer
    return with_functions(bare)


def question_of(row: Row) -> list[Message]:
    """Return the turns that lead up to an answer, system turn included.

    Raises:
        RowError: there are none.
    """
    row = Columns.of(row)
    for name in _CONVERSATIONS:
        value = listed_turns(row.get(name), name)
        if isinstance(value, list | tuple) and value:
            turns = read_turns(value)
            if name == "prompt" and turns[-1]["role"] == "assistant" and turns[-1]["content"]:
                raise RowError(
                    "'prompt' ends with a turn of the assistant, which an answer cannot go on with; "
                    "leave it out"
                )
            while turns and turns[-1]["role"] == "assistant":
                turns.pop()
            if turns:
                row.take(name)
                return with_system(row, turns)
    column = next((name for name in _QUESTIONS if isinstance(row.get(name), str) and row[name].strip()), None)
    if column is None:
        columns = ", ".join(sorted(map(str, row))) or "(none)"
        raise RowError(
            f"no question, as a text or turns in {', '.join(_QUESTIONS)}: the other columns are {columns}"
        )
    return with_system(row, asked(row, column, is_prompt=True))


def _answer_of(row: Columns, choosing: str | None) -> str | None:
    if choosing is not None and (choices := choices_of(row, choosing)) is not None:
        return label_among(row, choices)
    name = next((name for name in _ANSWERS if row.get(name) is not None), None)
    value = row.get(name) if name else None
    if name is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    row.take(name)
    return _final(str(value))


def _final(answer: str) -> str | None:
    """Return what is compared of an answer: without steps and marks; None where there is nothing."""
    tagged = _TAGGED.findall(answer)  # behind a thought or steps the last one
    text = (tagged[-1] if tagged else answer).rpartition("####")[2].strip().strip("$").strip()
    if text.count(_BOX) > 1 or _OBJECT.match(text):  # several answers; what a program is run with
        return None
    if box := _BOXED.search(text):
        text = box[1].strip()
    return None if text == "nan" else text or None


def _asks_more(row: Columns) -> bool:
    """Return whether the answer beside a conversation is to a last question that nobody answers in it."""
    column = next((name for name in _CONVERSATIONS[1:] if row.get(name) is not None), None)
    if column is None or all(is_empty(row.get(name)) for name in _ANSWERS):
        return False
    turns = read_turns(listed(row[column], column))
    return bool(turns) and turns[-1]["role"] == "user"
