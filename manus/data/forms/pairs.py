"""Reads rows that hold a better and a worse answer. Knows published shapes, and nothing of capabilities.

| shape | columns |
|---|---|
| TRL, argilla | `prompt` (or `question`, `instruction`, ...) with `chosen`, `rejected`, as text or as turns |
| UltraFeedback | `chosen`, `rejected`: whole conversations that part at their last turn |
| distilabel | `instruction`, `chosen_response`, `rejected_response` |
| LLaMA-Factory | `conversations` with `chosen`, `rejected`, one turn each; or `instruction`, `input` |
| HH-RLHF | `chosen`, `rejected`: one text each, with "Human:" and "Assistant:" marks |
| OpenAI | `input` with `messages` and `tools`; `preferred_output`, `non_preferred_output` |
| ms-swift | `messages`, or `query` and `response`, whose last answer is the better one; `rejected_response`
or `rejected_messages` |
| LLaMA-Factory, older | `instruction`, and `output`: a list of the better and the worse answer |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from manus.data.forms.columns import Columns, is_empty
from manus.data.forms.dialogues import read_dialogue
from manus.data.forms.doubts import SHORTEST_REPEATED
from manus.data.forms.flags import without_labels
from manus.data.forms.messages import as_messages
from manus.data.forms.prompts import question_of
from manus.data.forms.questions import check_history, listed_turns, with_system
from manus.data.forms.service_forms import as_chat
from manus.data.forms.turns import read_text, read_turns
from manus.data.sample import Message, Row, RowError, Sample

_ANSWERS = (("chosen", "rejected"), ("chosen_response", "rejected_response"))
_OPENAI = ("input", "preferred_output", "non_preferred_output")
_WORSE = ("rejected_response", "rejected_messages")
_FUNCTIONS = ("tools", "functions")
_KEPT = ("answer", "level", *_FUNCTIONS, "chat_template_kwargs")
_REPEATS = (
    "messages",
    "conversations",
    "conversation",
)  # UltraFeedback's messages are its chosen conversation


def read_pair(row: Row, read: Callable[[Row], Sample]) -> Sample:
    """Return a row as the sample that `read` makes of its better answer, with the worse one as `rejected`.

    Raises:
        RowError: the row holds no two answers to one prompt, or `read` refuses the better one.
    """
    row = _as_chosen_and_rejected(as_chat(Columns.of(row)))
    names = next((pair for pair in _ANSWERS if all(row.get(name) is not None for name in pair)), None)
    if names is None:
        columns = ", ".join(sorted(map(str, row))) or "(none)"
        raise RowError(
            f"no 'chosen' and 'rejected' answer: the columns are {columns}; on_policy: {{}} makes them"
        )
    try:
        chosen, rejected = (_turns(row.take(name), name == names[0]) for name in names)
        if chosen[:-1]:
            check_history(row, chosen[:-1])
            asked = with_system(row, chosen[:-1])
            row.take_all(name for name in _REPEATS if row.get(name) == row[names[0]])
        else:
            asked = question_of(row.replaced(names))
        if rejected[:-1] not in ([], chosen[:-1]):
            raise RowError("the chosen and the rejected conversation part before their last turn")
        kept = {name: row[name] for name in _KEPT if name in row}
        asked = [{"role": message["role"], "content": message["content"]} for message in asked]
        sides = [row.derived({**kept, "messages": [*asked, answers[-1]]}) for answers in (chosen, rejected)]
        better, worse = (as_messages(side)["messages"][-1]["content"] for side in sides)
    except RowError:
        raise
    except ValueError as error:
        raise RowError(str(error)) from None
    said = asked[-1]["content"]
    if len(said) >= SHORTEST_REPEATED and better.startswith(said) and worse.startswith(said):
        raise RowError(
            "the chosen and the rejected answer both begin with the prompt's own words; give them without these"
        )
    if better == worse:
        raise RowError("the chosen and the rejected answer are the same")
    return {**read(sides[0]), "rejected": worse}


def _as_chosen_and_rejected(row: Columns) -> Columns:
    """Return a row of another shape with its answers as `chosen` and `rejected`; any other as it is.

    Raises:
        RowError: the answers are not what the shape has.
    """
    if all(row.get(name) is not None for name in _OPENAI):
        given = row.take(_OPENAI[0])
        if not isinstance(given, Mapping) or given.get("messages") is None:
            raise RowError("'input' beside 'preferred_output' is no object with 'messages'")
        for name in given.keys() - {"messages", *_FUNCTIONS}:
            if not is_empty(given[name]):
                row.note(f"input.{name}")
        row.take_all(_OPENAI)
        functions = {name: given[name] for name in _FUNCTIONS if given.get(name) is not None}
        answers = {"chosen": row[_OPENAI[1]], "rejected": row[_OPENAI[2]]}
        return row.replaced(_OPENAI, prompt=given["messages"], **functions, **answers)
    worse = next((name for name in _WORSE if row.get(name) is not None), None)
    if worse is not None and not any(row.get(better) is not None for better, _ in _ANSWERS):
        return _of_swift(row, worse)
    both = row.get("output")
    if isinstance(both, list | tuple) and len(both) == 2 and all(isinstance(one, str) for one in both):
        row.take("output")
        return row.replaced(("output",), chosen=both[0], rejected=both[1])
    return row


def _of_swift(row: Columns, worse: str) -> Columns:
    given = listed_turns(row.take(worse), worse)
    if worse == "rejected_response" and not isinstance(given, str):
        raise RowError("'rejected_response' is one text; give whole conversations in 'rejected_messages'")
    column = next((name for name in _REPEATS if row.get(name) is not None), None)
    if column is None:
        row.take("response")
        return row.replaced(("response", worse), chosen=row.get("response"), rejected=given)
    better = row.take(column)
    better = read_turns(listed_turns(better, column))
    if better[-1]["role"] != "assistant":
        raise RowError(f"{column!r} does not end with the better answer, beside {worse!r}")
    rejected = (
        given if worse == "rejected_messages" else [*better[:-1], {"role": "assistant", "content": given}]
    )
    return row.replaced((column, worse), chosen=better, rejected=rejected)


def _turns(value: Any, is_better: bool) -> list[Message]:
    """Return an answer as turns that end with the assistant's: a text, a turn, or a whole conversation."""
    if isinstance(value, Mapping):
        return _unflagged([value], is_better)
    if isinstance(value, list | tuple) and not value:
        raise RowError("an answer holds no turn")
    value = listed_turns(value, "an answer")
    if isinstance(value, Mapping):
        return _unflagged([value], is_better)
    if not isinstance(value, str):
        return _unflagged(value, is_better)
    return read_dialogue(value) or [{"role": "assistant", "content": read_text(value)}]


def _unflagged(turns: Any, is_better: bool) -> list[Message]:
    """Return turns without flags: of a pair the last turns are learned, against each other, and no other.

    Raises:
        RowError: a last turn is flagged as one that is not learned.
    """
    messages = read_turns(
        turns if is_better or not isinstance(turns, list) else list(map(without_labels, turns))
    )
    if messages and messages[-1].get("learn", True) is not True:
        raise RowError("the last turn of an answer is flagged as not to be learned")
    return [{"role": message["role"], "content": message["content"]} for message in messages]
