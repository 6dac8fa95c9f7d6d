"""Reads what is asked in a row, with all that belongs to it, and the answer. Knows nothing of capabilities.

A question may come with a text that it is about (`context`, `article`, ...), choices, earlier rounds
(`history`) and a system text. A question that is a dialogue, as "Human: ... Assistant:", becomes its turns.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from manus.data.forms.choices import Choices, has_key, read_choices
from manus.data.forms.columns import Columns, is_empty, says_nothing
from manus.data.forms.dialogues import read_dialogue
from manus.data.forms.doubts import stands_for_nothing
from manus.data.forms.literals import read_literal
from manus.data.forms.turns import read_text, read_turns, unread_keys
from manus.data.sample import Message, RowError
from manus.data.strict_json import loads

ABOUT = (
    "input",
    "context",
    "article",
    "passage",
    "paragraph",
    "document",
    "story",
    "background",
)
_WITH_CHOICES = ("hint",)  # ScienceQA's and MMBench's hints are what the question is about
_BEGINS_LIKE_TURNS = re.compile(
    r"""\s*(?:\[\s*\{\s*['"](?:role|from|content|value|human|user|type['"]\s*:\s*['"]message)['"]"""
    r"""|\{\s*['"](?:role|from)['"])"""
)
_BEGINS_LIKE_ANSWERS = re.compile(r"""\s*(?:\{\s*['"]text['"]\s*:\s*(?:\[|array)|\[\s*\{\s*['"]answer)""")
_SYSTEMS = ("system", "system_prompt", "system_message", "system_instruction", "instructions")
_NO_INPUT = frozenset(
    ["<noinput>", "<no input>", "noinput", "no input"]
)  # as self-instruct and what followed it write
_RANKS = ("rank", "score", "rating", "overall_score")
_OF_ANSWERS = frozenset(["answer", "answer_id", "answer_confidence", "text", "answer_start"])


def asked(row: Columns, column: str, is_prompt: bool = False) -> list[Message]:
    """Return the turns that lead up to an answer, but for the system turn.

    Args:
        row: the row.
        column: where the question stands, as a text or as turns.
        is_prompt: whether the answer stands elsewhere, so that a dialogue must not end within it.

    Raises:
        RowError: something of it is no text.
    """
    messages = history(row)
    value = listed_turns(row.take(column), column)
    if isinstance(value, list | tuple):
        turns = turns_of(row, column, value)
        return messages + (_only_read(turns, column) if is_prompt else turns)
    text = column_text(row, column)
    if isinstance(value, str) and _is_list_of_texts(text):
        raise RowError(f"{column!r} is a text that holds a list of texts; give the turns, with their roles")
    if (spoken := read_dialogue(text)) is not None:
        return messages + (_only_read(_to_be_answered(spoken), column) if is_prompt else spoken)
    choices = read_choices(row)
    about = [
        name
        for name in (*ABOUT, *(_WITH_CHOICES if choices else ()))
        if name != column and not is_empty(row.get(name))
    ]
    parts = [text]
    if text == "nan" and about:
        row.note(f"{column} ('nan', left out)")
        parts = []
    for name in about:
        said = column_text(row, name)
        if says_nothing(said):
            row.note(f"{name} ({said!r}, left out)")
        elif said.lower() not in _NO_INPUT:
            if stands_for_nothing(said):
                row.note(f"{name} ({said!r}, left as it stands)")
            parts.append(said)
    if choices is not None:
        row.take_all(choices.columns)
        parts += choices.lines
    return [*messages, {"role": "user", "content": "\n".join(part for part in parts if part)}]


def _is_list_of_texts(text: str) -> bool:
    """Return whether a text is a list of questions, as Chatbot Arena's files have rounds."""
    if not text.startswith(("['", '["')):
        return False
    try:
        value = read_literal(text)
    except ValueError:
        return False
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _to_be_answered(turns: list[Message]) -> list[Message]:
    if turns[-1]["role"] == "assistant":
        if turns[-1]["content"]:
            raise RowError(
                "the prompt is a dialogue that ends within the assistant's turn, "
                "which the answer goes on with"
            )
        return turns[:-1]
    return turns


def turns_of(row: Columns, column: str, turns: Any) -> list[Message]:
    """Return the turns in a column, having noted which of their keys nothing reads.

    Raises:
        RowError: a turn is none.
    """
    for key in unread_keys(turns):
        row.note(f"{column}[].{key}")
    return read_turns(turns)


def listed_turns(value: Any, column: str) -> Any:
    """Return turns that CSV files hold as a text as a list; any other value as it is.

    Raises:
        RowError: it begins like turns, and is none.
    """
    if not (isinstance(value, str) and _BEGINS_LIKE_TURNS.match(value)):
        return value
    return listed(value, column)


def are_turns(value: Any) -> bool:
    """Return whether a value is a list of turns with their roles."""
    is_list = isinstance(value, list | tuple) and len(value) > 0
    return is_list and all(isinstance(turn, Mapping) and ("role" in turn or "from" in turn) for turn in value)


def history(row: Columns) -> list[Message]:
    """Return the turns of earlier rounds, where a row has any.

    Raises:
        RowError: they are no pairs of question and answer, nor turns.
    """
    rounds = listed(row.take("history") or [], "history")
    if isinstance(rounds, list | tuple) and rounds and all(isinstance(turn, Mapping) for turn in rounds):
        return turns_of(row, "history", rounds)
    if not isinstance(rounds, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in rounds
    ):
        raise RowError("'history' is not a list of [question, answer] pairs")
    if any(answer is None for _, answer in rounds):
        raise RowError("'history' has a round without an answer")
    return read_turns([{"human": question, "gpt": answer} for question, answer in rounds])


def check_history(row: Columns, messages: list[Message]) -> None:
    """See to it that a conversation says its earlier rounds itself, where the row has some beside it.

    Raises:
        RowError: it does not: whether they come before it is not known.
    """
    if is_empty(row.get("history")):
        return
    earlier = [(message["role"], message["content"]) for message in history(row)]
    said = [(message["role"], message["content"]) for message in messages if message["role"] != "system"]
    if said[: len(earlier)] != [one for one in earlier if one[0] != "system"]:
        raise RowError(
            "it has earlier rounds in 'history' beside a conversation that does not begin with them: "
            "put them into it, or say ignore: [history] in the source"
        )


def _only_read(turns: list[Message], column: str) -> list[Message]:
    """Return the turns of a prompt, none of them learned unless it asks for it: TRL learns completions alone.

    Raises:
        RowError: they end with words of the assistant, which the answer would go on with.
    """
    if turns and turns[-1]["role"] == "assistant":
        raise RowError(
            f"{column!r} ends with a turn of the assistant, which the answer goes on with; "
            "put its words into the answer"
        )
    if column != "prompt":
        return turns
    return [{**one, "learn": one.get("learn", False)} if one["role"] == "assistant" else one for one in turns]


def with_system(row: Columns, messages: list[Message]) -> list[Message]:
    """Return turns behind the row's system text, where it has one and they do not begin with their own.

    Raises:
        RowError: two columns have different ones.
    """
    if messages and messages[0]["role"] == "system":
        return messages
    there = [key for key in _SYSTEMS if not is_empty(row.get(key))]
    column = there[0] if there else None
    text = column_text(row, column).removeprefix("SYSTEM: ") if column else ""  # the mark is Glaive's
    if column and not says_nothing(text, True) and stands_for_nothing(text):
        row.note(f"{column} ({text!r}, left as it stands)")
    if column and _BEGINS_LIKE_TURNS.match(text):
        raise RowError(f"{column!r} is a text that holds a turn; give its words alone")
    if other := next((key for key in there[1:] if column_text(row, key) != text), None):
        raise RowError(
            f"{column!r} and {other!r} have different system texts; "
            f"say ignore: [{other}] in the source, or of both"
        )
    return (
        [{"role": "system", "content": text}, *messages]
        if text and not says_nothing(text, True)
        else messages
    )


def listed(value: Any, column: str) -> Any:
    """Return what a text holds, as CSV files and some Parquet files have lists; any other value as it is.

    Raises:
        RowError: it is a text that holds nothing.
    """
    if not isinstance(value, str):
        return value
    try:
        return read_literal(value)
    except ValueError as error:
        raise RowError(f"{column!r} is {error}") from None


def column_text(row: Columns, column: str) -> str:
    """Return the text in a column; texts in a list stand below each other.

    Raises:
        RowError: it is none.
    """
    value = row.take(column)
    try:
        if isinstance(value, list | tuple) and value and all(isinstance(one, str) for one in value):
            return "\n".join(map(read_text, value))
        return read_text(value)
    except ValueError as error:
        raise RowError(f"{column!r}: {error}") from None


def listed_answers(value: Any, column: str) -> Any:
    """Return what several people said as a list, where CSV files hold it as a text; any other value as it is.

    A list in Python's words is one that was written so; one in JSON is, but in `answers`, an answer like any
    other.

    Raises:
        RowError: it is SQuAD's answers as a text that cannot be read, as numpy's arrays are.
    """
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    if _BEGINS_LIKE_ANSWERS.match(value):
        return listed(value, column)
    try:
        read = read_literal(value)
    except ValueError:
        return value
    are_texts = isinstance(read, list) and len(read) > 0 and all(isinstance(one, str) for one in read)
    return read if are_texts and (column == "answers" or not _is_json(value)) else value


def _is_json(text: str) -> bool:
    try:
        loads(text)
    except ValueError:
        return False
    return True


def answer_text(value: Any) -> str | None:
    """Return the answer in a column's value: of several the one that most people gave; None if there is none.

    Takes SQuAD's `{"text": [...], "answer_start": [...]}`, lists of texts or of `{"answer": ...}`, numbers,
    yes and no.
    """
    if isinstance(value, Mapping) and isinstance(value.get("text"), list | tuple):
        value = value["text"]
    if isinstance(value, list | tuple):
        said = [one.get("answer") if isinstance(one, Mapping) else one for one in value]
        texts = [one for one in said if isinstance(one, str) and one.strip()]
        return Counter(texts).most_common(1)[0][0] if texts else None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, str | int | float) else None


def note_keys(row: Columns, column: str, value: Any) -> None:
    """Note what is said beside several answers, which nothing reads, and other answers that are as frequent.

    Raises:
        RowError: they are ranked, and the best one is not the most frequent one.
    """
    said = value.get("text") if isinstance(value, Mapping) else value
    texts = (
        [one for one in said if isinstance(one, str) and one.strip()]
        if isinstance(said, list | tuple)
        else []
    )
    counts = [count for _, count in Counter(texts).most_common(2)]
    if len(counts) > 1 and counts[0] == counts[1]:  # no answer is the most frequent one; the first is taken
        row.note(f"{column}[1:]")
    for one in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(one, Mapping):
            continue
        if rank := next((name for name in _RANKS if one.get(name) is not None), None):
            raise RowError(
                f"the answers in {column!r} have a {rank}: give the better one alone, "
                "or pairs as chosen and rejected"
            )
        for name in (name for name in one.keys() - _OF_ANSWERS if not is_empty(one[name])):
            row.note(f"{column}[].{name}")


def choices_of(row: Columns, column: str) -> Choices | None:
    """Return the choices of a question that is one text, where the row says which is right."""
    is_text = isinstance(row.get(column), str) and not isinstance(
        listed_turns(row[column], column), list | tuple
    )
    return read_choices(row) if is_text and has_key(row) else None
