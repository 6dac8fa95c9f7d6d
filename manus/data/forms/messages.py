"""Recognises the shapes of rows that users already have. Knows nothing of capabilities or tokens.

| shape | columns |
|---|---|
| chat (OpenAI, TRL, ms-swift) | `messages`, with `tools` or `functions` where functions are called |
| ShareGPT (axolotl, LLaMA-Factory, Hermes) | `conversations` or `conversation`, `system`, `tools` |
| dialogue (Glaive) | `chat`, a text with marks of who speaks, `system` |
| Alpaca, Dolly | `instruction`, `input` or `context`, `output` or `response`, `system`, `history` |
| pairs (TRL, ms-swift, GSM8K, MATH) | `prompt`/`completion`, `query`/`response`, `question`/`answer`, ... |
| about a text (SQuAD, BoolQ, RACE) | `question`, `context` or `article` or `passage`, ..., `answer` or
`answers` |
| choices (MMLU, ARC, ScienceQA) | `question`, `choices` or `options`, `answer` or `answerKey`, ... |
| calls (xlam) | `query`, `answers`, `tools` |
| services (Gemini, Bedrock) | `manus.data.forms.service_forms` |
| text | `text` or `content` |

Columns that no shape reads are told apart from the others by `manus.data.forms.columns`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from manus.data.forms.call_forms import refuse_other_forms
from manus.data.forms.calls import Call, read_calls
from manus.data.forms.choices import answer_among, key_of_several, refuse_key_alone
from manus.data.forms.columns import Columns, is_empty
from manus.data.forms.dialogues import read_dialogue
from manus.data.forms.doubts import doubts, doubts_of_calls, doubts_of_text, refuse_no_text
from manus.data.forms.flags import check_row, without_unlearned_end
from manus.data.forms.grounding import with_boxes
from manus.data.forms.questions import (
    answer_text,
    are_turns,
    asked,
    check_history,
    choices_of,
    column_text,
    listed,
    listed_answers,
    listed_turns,
    note_keys,
    turns_of,
    with_system,
)
from manus.data.forms.service_forms import as_chat
from manus.data.forms.thought_format import CLOSE as END_OF_THOUGHT
from manus.data.forms.tool_format import NO_FUNCTION_FITS, has_calls, render_calls, rewrite_calls
from manus.data.forms.tool_schemas import fitted_call, read_tools, tools_within, unread_keys_of_tools
from manus.data.forms.turns import checked, read_text, read_turns
from manus.data.forms.unmarked_calls import unmarked_calls
from manus.data.forms.verl_rows import is_verl
from manus.data.sample import Message, Row, RowError, Sample

CONVERSATIONS = ("messages", "conversations", "conversation")
_FUNCTIONS = ("tools", "functions")
_OF_THE_TEMPLATE = ("chat_template_kwargs", "enable_thinking")
PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("question", "answer"),
    ("question", "answers"),
    ("query", "response"),
    ("problem", "solution"),
    ("input", "output"),
    ("question", "response"),
    ("prompt", "output"),
    ("instruction", "completion"),
    ("query", "output"),
    ("question", "output"),
    ("question", "completion"),
    ("input", "response"),
    ("query", "answer"),
    ("inputs", "targets"),
)
ANSWERS = ("answer", "answers")  # which may be numbers, yes or no, or what several people said
_CHOOSING = ("question", "question_stem", "query", "prompt", "problem", "instruction")


def as_messages(row: Row) -> Sample:
    """Return the conversation in a row, whatever known shape it has.

    Calls become text in the assistant's turns (`tool_format`), functions become `tools` as JSON Schema.
    A conversation row may also carry `answer` and `level`. Texts are stripped. User and tool turns after
    the last assistant turn are dropped; empty answers, unknown roles and wrong types are not repaired.

    Raises:
        NotLearned: the row says that it is not to be learned.
        RowError: no known shape, or nothing an assistant can learn from; the message is the exact reason.
    """
    _check_is_row(row)
    if is_verl(row):
        raise RowError(
            "a row of verl's has an answer to compare with, and none to imitate: grpo and ppo learn from it"
        )
    try:
        return _read(as_chat(Columns.of(row)))
    except RowError:
        raise
    except ValueError as error:
        raise RowError(str(error)) from None


def _read(row: Columns) -> Sample:
    if (column := next((name for name in _OF_THE_TEMPLATE if not is_empty(row.get(name))), None)) is not None:
        raise RowError(
            f"{column!r} changes the chat template for one row, which is not built; "
            f"say ignore: [{column}] in the source to have all rows rendered alike"
        )
    sample: Sample = {"messages": []}
    if (conversation := _conversation(row)) is not None:
        check_row(row)
        check_history(row, conversation)
        messages = conversation
        is_answered = bool(messages) and messages[-1]["role"] != "user"  # what is asked last is left out
        if is_answered and (answer := _label(row, "answer")):
            sample["answer"] = answer
    else:
        messages = _read_pair(row)
    messages = with_system(row, messages)
    tools = _tools_of(row, messages)
    messages = [_with_calls(number, message, tools) for number, message in enumerate(messages, 1)]
    sample["messages"] = without_unlearned_end(checked(with_boxes(row, messages)))
    for doubt in (*doubts(sample["messages"]), *doubts_of_calls(sample["messages"], tools)):
        row.note(doubt)
    if level := _label(row, "level"):
        sample["level"] = level
    if tools:
        sample["tools"] = tools
    return sample


def _conversation(row: Columns) -> list[Message] | None:
    column = next((key for key in CONVERSATIONS if row.get(key) is not None), None)
    if column is not None:
        return turns_of(row, column, listed(row.take(column), column))
    turns = read_dialogue(row["chat"]) if isinstance(row.get("chat"), str) else None
    if turns is not None:
        row.take("chat")
        return read_turns(turns)
    return None


def _tools_of(row: Columns, messages: list[Message]) -> list[dict[str, Any]]:
    column = next((key for key in _FUNCTIONS if not is_empty(row.get(key))), None)
    if column is not None and (tools := read_tools(row.take(column))):
        for key in unread_keys_of_tools(row[column]):
            row.note(f"{column}[].{key}")
        return tools
    system = "\n".join(message["content"] for message in messages if message["role"] == "system")
    return tools_within(system)


def _with_calls(number: int, message: Message, tools: list[dict[str, Any]]) -> Message:
    """Return a turn with its calls in our form, and with arguments that its functions have."""
    if message["role"] != "assistant" or not tools:
        return message
    head, mark, spoken = message["content"].rpartition(END_OF_THOUGHT)
    try:
        refuse_other_forms(spoken)
        written = rewrite_calls(spoken, may_be_bare=True, mended=lambda call: fitted_call(call, tools))
        if written == spoken and not has_calls(spoken):
            calls = unmarked_calls(spoken, {tool["name"] for tool in tools})
            written = render_calls([fitted_call(call, tools) for call in calls]) if calls else spoken
    except ValueError as error:
        raise RowError(f"turn {number}: {error}") from None
    if written == spoken:
        return message
    if isinstance(message.get("learn"), list):
        raise RowError(f"turn {number}: it says which of its characters are learned, but it makes calls")
    gap = "\n" if mark and spoken.startswith("\n") and not written.startswith("\n") else ""
    return {**message, "content": f"{head}{mark}{gap}{written}"}


def as_text(row: Row) -> Sample:
    """Return the text of a row for continued pre-training.

    Raises:
        RowError: it has no `text` or `content`, or that is empty or not text.
    """
    _check_is_row(row)
    row = Columns.of(row)
    check_row(row, has_choices=True)  # where a label is the class of a text
    column = next((key for key in ("text", "content") if row.get(key) is not None), None)
    if column is None:
        raise RowError(f"no text: neither 'text' nor 'content' among the columns {_columns(row)}")
    if not isinstance(row[column], str):
        raise RowError(f"{column!r} is not text")
    try:
        read_text(row[column])
        refuse_no_text(row[column])
    except ValueError as error:
        raise RowError(f"{column!r}: {error}") from None
    if not row[column].strip():
        raise RowError(f"{column!r} is empty")
    for doubt in doubts_of_text(row[column]):
        row.note(doubt)
    return {"text": row.take(column)}


def _check_is_row(row: Any) -> None:
    if not isinstance(row, Mapping):
        raise RowError(f"a row is an object with columns, not {type(row).__name__}")


def _columns(row: Row) -> str:
    return ", ".join(sorted(map(str, row))) or "(none)"


def _label(row: Columns, column: str) -> str | None:
    value = row.take(column)
    if isinstance(value, str):
        return read_text(value) or None
    return str(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _read_pair(row: Columns) -> list[Message]:
    if (called := _from_xlam(row)) is not None:
        check_row(row)
        return called
    question = next((key for key in _CHOOSING if choices_of(row, key) is not None), None)
    if question is not None and (choices := choices_of(row, question)) is not None:
        check_row(row, has_choices=True)
        answer = answer_among(row, choices)
        if not set(answer.split("\n")) & set("\n".join(choices.lines).split("\n")):
            row.note("an answer (none of the choices, learned as it stands)")
        return [*asked(row, question), {"role": "assistant", "content": answer}]
    check_row(row)
    pair = next((pair for pair in PAIRS if all(row.get(key) is not None for key in pair)), None)
    if pair is None:
        half = next((pair for pair in PAIRS if row.get(pair[0]) is not None), None)
        missing = f"{half[0]!r} without an answer" if half else "no known shape"
        raise RowError(f"{missing}: the columns are {_columns(row)}")
    return _with_answer(asked(row, pair[0], is_prompt=True), _answered(row, pair[1]), pair)


def _with_answer(turns: list[Message], answer: list[Message], pair: tuple[str, str]) -> list[Message]:
    """Return a conversation of prompt and answer, which may be the whole, as axolotl's and UltraFeedback's.

    Raises:
        RowError: the answer begins with a question that is not the prompt's.
    """
    if not answer or answer[0]["role"] not in ("system", "user"):
        return turns + answer
    said = [(one["role"], one["content"]) for one in answer]
    if said[: len(turns)] == [(one["role"], one["content"]) for one in turns] and len(said) > len(turns):
        return turns + answer[len(turns) :]
    if said[0][0] == "system" and said[1 : len(turns) + 1] == [
        (one["role"], one["content"]) for one in turns
    ]:
        return [answer[0], *turns, *answer[len(turns) + 1 :]]
    raise RowError(
        f"{pair[1]!r} is a conversation that does not begin with {pair[0]!r}; give the answer alone, "
        "or the conversation in 'messages'"
    )


def _from_xlam(row: Columns) -> list[Message] | None:
    """Return the turns of a row whose answers are calls; None for any other."""
    if row.get("query") is None or row.get("answers") is None:
        return None
    try:
        calls: list[Call] = read_calls(row.take("answers"))
        said = render_calls(calls)
    except ValueError as error:
        raise RowError(f"'answers': {error}") from None
    return [*asked(row, "query"), {"role": "assistant", "content": said or NO_FUNCTION_FITS}]


def _answered(row: Columns, column: str) -> list[Message]:
    refuse_key_alone(row, column)
    value = listed_turns(row.take(column), column)
    value = listed_answers(value, column) if column in ANSWERS else value
    if isinstance(value, list | tuple) and (column not in ANSWERS or are_turns(value)):
        return turns_of(row, column, value)
    if column == "answers" and isinstance(value, list | tuple) and (key := key_of_several(row)) is not None:
        raise RowError(f"{key!r} says which of its 'answers' is right; give these as 'choices'")
    if column in ANSWERS and not isinstance(value, str):
        note_keys(row, column, value)
        said = answer_text(value)
        if said is None:
            raise RowError(f"{column!r} names no answer")
        return read_turns([{"role": "assistant", "content": said}])
    return read_turns([{"role": "assistant", "content": column_text(row, column)}])
