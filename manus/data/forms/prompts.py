"""Reads rows that ask something whose answer can be verified. Knows nothing of verifiers or capabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manus.data.forms.literals import read_literal
from manus.data.forms.turns import read_text, read_turns
from manus.data.sample import Message, Row, RowError, Sample

_CONVERSATIONS = ("prompt", "messages", "conversations", "conversation")
_QUESTIONS = ("prompt", "question", "query", "problem", "instruction")
_ADDITIONS = ("input", "context")
_ANSWERS = ("answer", "solution", "ground_truth", "target")
_KEPT = ("level", "tools", "entry")


def read_prompt(row: Row, read: Callable[[Row], Sample], can_score: Callable[[Sample], bool]) -> Sample:
    """Return a row as a prompt, with what a verifier needs.

    A row with a worked answer is read as the capability reads it. One that holds only the final answer becomes a prompt
    too: the assistant's turn then holds that answer.

    Args:
        row: the row.
        read: how the capability reads it.
        can_score: whether the verifiers find in a sample what they compare with.

    Raises:
        RowError: the row asks nothing, or has no answer where one is needed.
    """
    refusal = None
    try:
        sample = read(row)
    except RowError as error:
        refusal = error
    else:
        if can_score(sample):
            return sample
    try:
        asked, answer = question_of(row), _answer_of(row)
    except RowError as error:
        raise refusal or error from None
    kept = {name: row[name] for name in _KEPT if row.get(name) is not None}
    bare: Sample = {"messages": [*asked, {"role": "assistant", "content": answer or ""}], **kept}  # type: ignore[typeddict-item]
    if answer:
        bare["answer"] = answer
    if not can_score(bare):
        raise refusal or RowError("no answer that the verifier could compare with")
    return bare


def question_of(row: Row) -> list[Message]:
    """Return the turns that lead up to an answer, system turn included.

    Raises:
        RowError: there are none.
    """
    for name in _CONVERSATIONS:
        value = row.get(name)
        if isinstance(value, str) and value.lstrip().startswith(("[{", "[ {")):
            value = _literal(value, name)
        if isinstance(value, list | tuple) and value:
            turns = read_turns(value)
            while turns and turns[-1]["role"] == "assistant":
                turns.pop()
            if turns:
                return _with_system(row, turns)
    column = next((name for name in _QUESTIONS if isinstance(row.get(name), str) and row[name].strip()), None)
    if column is None:
        columns = ", ".join(sorted(map(str, row))) or "(none)"
        raise RowError(f"no question: the columns are {columns}")
    texts = [row[column], *(row[key] for key in _ADDITIONS if isinstance(row.get(key), str) and row[key].strip())]
    try:
        return _with_system(row, [{"role": "user", "content": "\n".join(read_text(text) for text in texts)}])
    except ValueError as error:
        raise RowError(f"{column!r}: {error}") from None


def _literal(text: str, name: str) -> Any:
    try:
        return read_literal(text)
    except ValueError as error:
        raise RowError(f"{name!r} is {error}") from None


def _with_system(row: Row, turns: list[Message]) -> list[Message]:
    system = row.get("system")
    if isinstance(system, str) and system.strip() and turns[0]["role"] != "system":
        return [{"role": "system", "content": system.strip()}, *turns]
    return turns


def _answer_of(row: Row) -> str | None:
    value = next((row[name] for name in _ANSWERS if row.get(name) is not None), None)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip().strip("$") or None
