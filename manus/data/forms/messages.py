"""Recognises the shapes of rows that users already have. Knows nothing of capabilities or tokens.

| shape | columns |
|---|---|
| chat (OpenAI, TRL, ms-swift) | `messages`, with `tools` where functions are called |
| ShareGPT (axolotl, LLaMA-Factory, Hermes) | `conversations` or `conversation`, `system`, `tools` |
| Alpaca, Dolly | `instruction`, `input` or `context`, `output` or `response`, `system`, `history` |
| pairs (TRL, ms-swift, GSM8K, MATH) | `prompt`/`completion`, `query`/`response`, `question`/`answer`, ... |
| text | `text` or `content` |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from manus.data.forms.literals import read_literal
from manus.data.forms.tool_schemas import read_tools, tools_within
from manus.data.forms.turns import checked, read_text, read_turns
from manus.data.sample import Message, Row, RowError, Sample

_CONVERSATIONS = ("messages", "conversations", "conversation")
PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("question", "answer"),
    ("query", "response"),
    ("problem", "solution"),
    ("input", "output"),
)


def as_messages(row: Row) -> Sample:
    """Return the conversation in a row, whatever known shape it has.

    Calls become text in the assistant's turns (`tool_format`), functions become `tools` as JSON Schema.
    A conversation row may also carry `answer` and `level`. Texts are stripped. User and tool turns after
    the last assistant turn are dropped; empty answers, unknown roles and wrong types are not repaired.

    Raises:
        RowError: no known shape, or nothing an assistant can learn from; the message is the exact reason.
    """
    _check_is_row(row)
    try:
        return _read(row)
    except RowError:
        raise
    except ValueError as error:
        raise RowError(str(error)) from None


def _read(row: Row) -> Sample:
    column = next((key for key in _CONVERSATIONS if row.get(key) is not None), None)
    sample: Sample = {"messages": []}
    if column:
        messages = read_turns(_listed(row[column], column))
        if answer := _label(row, "answer"):
            sample["answer"] = answer
    else:
        messages = _read_pair(row)
    if not (messages and messages[0]["role"] == "system"):
        messages = _system(row) + messages
    sample["messages"] = checked(messages)
    if level := _label(row, "level"):
        sample["level"] = level
    if tools := read_tools(row.get("tools")) or _tools_of_system(sample["messages"]):
        sample["tools"] = tools
    return sample


def as_text(row: Row) -> Sample:
    """Return the text of a row for continued pre-training.

    Raises:
        RowError: it has no `text` or `content`, or that is empty or not text.
    """
    _check_is_row(row)
    column = next((key for key in ("text", "content") if row.get(key) is not None), None)
    if column is None:
        raise RowError(f"no text: neither 'text' nor 'content' among the columns {_columns(row)}")
    if not isinstance(row[column], str):
        raise RowError(f"{column!r} is not text")
    try:
        read_text(row[column])
    except ValueError as error:
        raise RowError(f"{column!r}: {error}") from None
    if not row[column].strip():
        raise RowError(f"{column!r} is empty")
    return {"text": row[column]}


def _check_is_row(row: Any) -> None:
    if not isinstance(row, Mapping):
        raise RowError(f"a row is an object with columns, not {type(row).__name__}")


def _columns(row: Row) -> str:
    return ", ".join(sorted(map(str, row))) or "(none)"


def _listed(value: Any, column: str) -> Any:
    # CSV files and some Parquet files hold conversations as text.
    if not isinstance(value, str):
        return value
    try:
        return read_literal(value)
    except ValueError as error:
        raise RowError(f"{column!r} is {error}") from None


def _system(row: Row) -> list[Message]:
    column = next((key for key in ("system", "system_prompt") if row.get(key) is not None), None)
    text = _column_text(row, column) if column else ""
    return [{"role": "system", "content": text}] if text else []


def _label(row: Row, column: str) -> str | None:
    value = row.get(column)
    if isinstance(value, str):
        return read_text(value) or None
    return str(value) if isinstance(value, int | float) else None


def _tools_of_system(messages: list[Message]) -> list[dict[str, Any]]:
    first = messages[0]
    return tools_within(first["content"]) if first["role"] == "system" else []


def _read_pair(row: Row) -> list[Message]:
    pair = next((pair for pair in PAIRS if all(row.get(key) is not None for key in pair)), None)
    if pair is None:
        half = next((pair for pair in PAIRS if row.get(pair[0]) is not None), None)
        missing = f"{half[0]!r} without an answer" if half else "no known shape"
        raise RowError(f"{missing}: the columns are {_columns(row)}")
    question, answer = pair
    messages = _history(row)
    if question == "instruction":
        parts = [_column_text(row, key) for key in ("instruction", "input", "context") if row.get(key)]
        messages.append({"role": "user", "content": "\n".join(part for part in parts if part)})
    else:
        messages += _side(row, question, "user")
    return messages + _side(row, answer, "assistant")


def _side(row: Row, column: str, role: Literal["user", "assistant"]) -> list[Message]:
    if isinstance(row[column], list | tuple):
        return read_turns(row[column])
    return read_turns([{"role": role, "content": _column_text(row, column)}])


def _history(row: Row) -> list[Message]:
    rounds = _listed(row.get("history") or [], "history")
    if not isinstance(rounds, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in rounds
    ):
        raise RowError("'history' is not a list of [question, answer] pairs")
    return read_turns([{"human": question, "gpt": answer} for question, answer in rounds])


def _column_text(row: Row, column: str) -> str:
    try:
        return read_text(row[column])
    except ValueError as error:
        raise RowError(f"{column!r}: {error}") from None
