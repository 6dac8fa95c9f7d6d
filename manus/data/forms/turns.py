"""Turns the turns of a conversation, as peers write them, into messages. Knows nothing of rows' columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from manus.data.forms.calls import read_calls
from manus.data.forms.columns import is_empty, says_nothing
from manus.data.forms.dialogues import without_marks
from manus.data.forms.doubts import refuse_nothing
from manus.data.forms.flags import OF_TURNS, asks_to_be_learned, learned_of, refuse_bad_turn
from manus.data.forms.literals import shortened
from manus.data.forms.rendered_chats import closed_and_ended, ended, template_mark
from manus.data.forms.results import RESULT_IDS, are_results, check_results, in_order_of_calls, is_result
from manus.data.forms.roles import CALL_ROLES, ROLE_KEYS, ROLES, Role, first, word
from manus.data.forms.thought_format import CLOSE, OPEN, render_thought
from manus.data.forms.tool_format import compact_json, has_calls, parse_calls, render_calls, rewrite_calls
from manus.data.sample import Learned, Message, RowError

_TEXT_KEYS, _CALL_KEYS, _THOUGHT_KEYS = (
    ("content", "value"),
    ("tool_calls", "function_call"),
    ("reasoning_content", "reasoning", "thinking"),
)
# What only says which call or function a result belongs to, which its place says too.
_IDENTIFYING_KEYS = frozenset(["id", *RESULT_IDS, "index"])
# Turns of a question and its answer in one object, as ms-swift, Capybara and others have them.
_SIDES = tuple(
    (asks, says) for asks in ("human", "user") for says in ("assistant", "gpt", "bot", "model", "chatgpt")
)
_PAIRS = (
    *_SIDES,
    ("input", "output"),
    ("prompt", "response"),
    ("question", "answer"),
    ("instruction", "output"),
    ("query", "response"),
)
_TEXT_PARTS = ("text", "input_text", "output_text")
_TEXT_OF_PART = frozenset(["text", "value", "thinking", "reasoning"])
_KEYS_OF_PARTS = {
    **dict.fromkeys((*_TEXT_PARTS, "reasoning", "thinking"), _TEXT_OF_PART | {"signature"}),
    "tool_use": frozenset(["name", "input"]),
    "tool_result": frozenset(["content"]),
}
# Parts of a content as JSON, which some files have where a column must be a text.
_PARTS_AS_TEXT = re.compile(
    r"""\s*\[\s*\{\s*['"]type['"]\s*:\s*['"](?:text|image|image_url|audio|video)['"]\s*,"""
)
_RESPONSE = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)


def read_turns(turns: Any) -> list[Message]:
    """Return the messages that a list of turns makes, in order.

    Takes `role`/`content` and `from`/`value` keys, and ms-swift's pairs `{"human": .., "assistant": ..}`.

    Raises:
        RowError: a turn is no turn; the message says which and why.
    """
    if not isinstance(turns, list | tuple):
        raise RowError(f"a conversation is a list of turns, not {_kind(turns)}")
    check_results(turns)
    messages: list[Message] = []
    for number, turn in enumerate(in_order_of_calls(turns), start=1):
        if not isinstance(turn, Mapping):
            raise RowError(f"turn {number} is {_kind(turn)}, not an object")
        try:
            messages += _read_turn(turn)
        except ValueError as error:
            raise RowError(f"turn {number}: {error}") from None
    return messages


def unread_keys(turns: Any) -> set[str]:
    """Return which keys of turns hold something that nothing reads."""
    found: set[str] = set()
    for turn in turns if isinstance(turns, list | tuple) else ():
        if isinstance(turn, Mapping):
            found |= {str(key) for key in turn.keys() - _read_keys(turn) if not is_empty(turn[key])}
            found |= set(_unread_of_parts(turn))
    return found


def _unread_of_parts(turn: Mapping[str, Any]) -> Iterator[str]:
    """Yield which keys of a turn's parts hold what nothing reads, as citations; media are read elsewhere."""
    column = next((key for key in _TEXT_KEYS if turn.get(key) is not None), "")
    parts = turn.get(column)
    for part in parts if isinstance(parts, list) and _are_parts(parts) else ():
        if (known := _KEYS_OF_PARTS.get(part["type"])) is not None:
            for key in part.keys() - known - _IDENTIFYING_KEYS - {"type", "cache_control"}:
                if not is_empty(part[key]) and part[key] is not False:
                    yield f"{column}[].{key}"


def _read_keys(turn: Mapping[str, Any]) -> set[str]:
    """Return which keys of a turn are read, those that say the same as one that is read among them."""
    role = first(turn, *ROLE_KEYS)
    if role is None:
        return set(_pair_keys(turn)) | OF_TURNS
    side = ROLES.get(word(role)) if isinstance(role, str) else None
    groups = [ROLE_KEYS, _TEXT_KEYS, *((_CALL_KEYS, _THOUGHT_KEYS) if side == "assistant" else ())]
    read: set[str] = set(_IDENTIFYING_KEYS | OF_TURNS) | ({"name"} if side == "tool" else set())
    for keys in groups:
        taken = first(turn, *keys)
        read |= {key for key in keys if turn.get(key) == taken and not isinstance(taken, bool)}
    return read


def checked(messages: Sequence[Message]) -> list[Message]:
    """Return the conversation that `messages` make, ended by the assistant.

    Neighbouring turns of the same side become one (calls and text that peers keep apart); several tool
    results stay several. What follows the last assistant turn is dropped: nothing answers it.

    Raises:
        RowError: not a conversation that an assistant can learn from; the message says where and why.
    """
    joined = without_marks(_joined(messages))
    while joined and joined[-1]["role"] != "assistant":
        joined.pop()
    if not joined:
        raise RowError("no assistant turn")
    previous: Role | None = None
    for number, message in enumerate(joined, start=1):
        _check_place(number, message, previous)
        previous = message["role"]
    return joined


def _check_place(number: int, message: Message, previous: Role | None) -> None:
    role = message["role"]
    if role == "system" and previous is not None:
        raise RowError(f"turn {number}: a system turn after the conversation began")
    if role == "assistant" and previous in (None, "system"):
        raise RowError("the conversation begins with the assistant")
    if role == "tool" and previous not in ("assistant", "tool"):
        raise RowError(f"turn {number}: a tool's result that no call precedes")
    if role in ("user", "assistant") and not message["content"]:
        raise RowError(f"turn {number} ({role}) is empty")
    if role in ("user", "assistant"):
        refuse_nothing(number, message, is_first=previous in (None, "system"))
        refuse_rendered(number, message)


def refuse_rendered(number: int, message: Message) -> None:
    """Refuse a turn that a chat template wrote already.

    Raises:
        RowError: it did.
    """
    if mark := template_mark(message["content"], is_answer=message["role"] == "assistant"):
        raise RowError(
            f"turn {number} ({message['role']}) is a chat that a template wrote already ({shortened(mark)}): "
            "give its turns, with their roles"
        )


def _joined(messages: Sequence[Message]) -> list[Message]:
    joined: list[Message] = []
    for message in messages:
        if message["role"] == "system" and (not message["content"] or says_nothing(message["content"], True)):
            continue
        if joined and joined[-1]["role"] == message["role"] != "tool":
            joined[-1] = _as_one(joined[-1], message)
        else:
            joined.append(message)
    return joined


def _as_one(first: Message, second: Message) -> Message:
    """Return two neighbouring turns of one side as one."""
    if not (first["content"] and second["content"]):
        return first if first["content"] else second
    if first.get("learn", True) != second.get("learn", True) or isinstance(first.get("learn"), list):
        raise RowError("two turns of the assistant follow each other, and they are not learned alike")
    return cast(Message, {**first, **second, "content": f"{first['content']}\n{second['content']}"})


def _read_turn(turn: Mapping[str, Any]) -> list[Message]:
    messages = _read_content(turn)
    if any(message["role"] == "assistant" for message in messages):
        learn = learned_of(turn)
        if learn is not False:
            refuse_bad_turn(turn)
        return [_flagged(one, learn, turn) if one["role"] == "assistant" else one for one in messages]
    if (flag := asks_to_be_learned(turn)) is not None:
        raise ValueError(
            f"{flag!r} asks for learning what the {messages[0]['role']} says; "
            "only the assistant's turns are learned"
        )
    return messages


def _flagged(message: Message, learn: Learned | None, turn: Mapping[str, Any]) -> Message:
    if not isinstance(learn, list):
        return message if learn is None else {**message, "learn": learn}
    written = first(turn, *_TEXT_KEYS)
    if not isinstance(written, str) or written.strip() != message["content"]:
        raise ValueError("it says which of its characters are learned, but it is no plain text")
    before = len(written) - len(written.lstrip())
    ranges = [(max(0, begin - before), min(end - before, len(message["content"]))) for begin, end in learn]
    kept = [(begin, end) for begin, end in ranges if begin < end]
    return {**message, "learn": kept or False}


def _read_content(turn: Mapping[str, Any]) -> list[Message]:
    role_name = first(turn, *ROLE_KEYS)
    if role_name is None:
        return _read_pair(turn)
    if not isinstance(role_name, str):
        raise ValueError(f"the role is {_kind(role_name)}, not text")
    name = word(role_name)
    content = first(turn, *_TEXT_KEYS)
    if name in CALL_ROLES:
        return [{"role": "assistant", "content": render_calls(_some_calls(content))}]
    if name not in ROLES:
        raise ValueError(f"no such role: {shortened(role_name)}")
    role = ROLES[name]
    if role == "tool":
        return [{"role": "tool", "content": result} for result in _tool_results(content)]
    if role == "user" and isinstance(content, list) and any(is_result(part) for part in content):
        return _answered_results(content)
    text = ended(read_text(content))
    if role == "user" and are_results(text):  # as templates write results, and rows made of them
        return [{"role": "tool", "content": result} for result in _tool_results(text)]
    return [{"role": role, "content": _assistant_text(text, turn) if role == "assistant" else text}]


def _answered_results(content: list[Any]) -> list[Message]:
    """Return Anthropic's user turn, with functions' results, as these and what the user says after them."""
    results = [part.get("content") for part in content if is_result(part)]
    messages: list[Message] = [
        {"role": "tool", "content": one} for part in results for one in _tool_results(part)
    ]
    text = read_text([part for part in content if not is_result(part)])
    return [*messages, {"role": "user", "content": text}] if text else messages


def _read_pair(turn: Mapping[str, Any]) -> list[Message]:
    keys = _pair_keys(turn)
    if not keys:
        raise ValueError("it has neither 'role' nor 'from'")
    roles: list[Role] = ["user", "assistant"]
    return [
        {"role": role, "content": read_text(turn[key])}
        for role, key in zip(roles, keys, strict=True)
        if turn.get(key) is not None
    ]


def _pair_keys(turn: Mapping[str, Any]) -> tuple[str, ...]:
    """Return under which keys a turn has a question and its answer, or one of the two, or nothing."""
    there = {str(key).lower(): str(key) for key, value in turn.items() if value is not None}
    whole = next((pair for pair in _PAIRS if there.keys() >= set(pair)), None)
    half = next((pair for pair in _SIDES if there.keys() & set(pair)), None)
    return tuple(there.get(key, key) for key in whole or half or ())


def _assistant_text(text: str, turn: Mapping[str, Any]) -> str:
    """Return the assistant's text with thinking and calls, which peers keep in fields of their own."""
    text = closed_and_ended(text)
    if has_calls(text):
        text = rewrite_calls(text)
    calls = first(turn, *_CALL_KEYS)
    if calls and has_calls(text):
        if parse_calls(text) != read_calls(calls):
            raise ValueError("it makes calls in its text, and other ones in a field of their own")
    elif calls:
        text = "" if says_nothing(text) else text
        text = "\n".join(part for part in (text, render_calls(read_calls(calls))) if part)
    return _with_thought(first(turn, *_THOUGHT_KEYS), text)


def _with_thought(thought: Any, text: str) -> str:
    """Return a text behind its thought; one that stands in the text already is not said twice.

    Raises:
        ValueError: the thought is no text, or the text begins with another one.
    """
    # A truth value says whether the model was to think, which `unread_keys` names.
    if is_empty(thought) or isinstance(thought, bool) or (isinstance(thought, str) and says_nothing(thought)):
        return text
    said = read_text(thought)
    if OPEN not in text and CLOSE not in text:
        return render_thought(said, text)
    own, _, _ = text.removeprefix(OPEN).partition(CLOSE)
    if own.strip() != said:
        raise ValueError("it has a thought in a field of its own, and another one in its text")
    return text


def _some_calls(content: Any) -> list[dict[str, Any]]:
    calls = read_calls(content)
    if not calls:
        raise ValueError("a call turn without a call")
    return calls


def _tool_results(content: Any) -> list[str]:
    # A structured result (a mapping, a list that is not content parts) is shown as JSON.
    if isinstance(content, Mapping) or (isinstance(content, list) and not _are_parts(content)):
        return [compact_json(content)]
    text = read_text(content)
    # Chat templates put results into their own tags; Hermes' text already has them.
    return [result.strip() for result in _RESPONSE.findall(text)] or [text]


def read_text(content: Any) -> str:
    """Return a turn's text, stripped; content parts are joined, None is empty.

    Raises:
        ValueError: it is not text, or holds a part that is not.
    """
    if content is None:
        return ""
    if isinstance(content, list) and _are_parts(content):
        return "\n".join(text for text in map(_part_text, content) if text)
    if not isinstance(content, str):
        raise ValueError(f"the content is {_kind(content)}, not text")
    if _PARTS_AS_TEXT.match(content):
        raise ValueError("the content is a text that holds a list of parts; give the list itself")
    try:
        content.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair: the text cannot be written as UTF-8") from None
    return content.strip()


def _are_parts(content: list[Any]) -> bool:
    return all(isinstance(part, Mapping) and "type" in part for part in content)


def _part_text(part: Mapping[str, Any]) -> str:
    kind = part["type"]
    content = first(part, "text", "value", "thinking", "reasoning")
    if kind in _TEXT_PARTS:
        if content is None and not is_empty({key: value for key, value in part.items() if key != "type"}):
            raise ValueError(f"a content part of type {kind!r} without 'text': {shortened(dict(part))}")
        return read_text(content)
    if kind in ("reasoning", "thinking"):
        return render_thought(read_text(content), "").strip()
    if kind == "tool_call":
        return render_calls(_some_calls(content))
    if kind == "tool_use":
        return render_calls(read_calls(part))
    raise ValueError(f"a content part of type {shortened(str(kind))} is not text")


def _kind(value: Any) -> str:
    names = {"str": "text", "int": "a number", "float": "a number", "bool": "a truth value"}
    names |= {"dict": "an object", "list": "a list", "NoneType": "missing"}
    return names.get(type(value).__name__, f"of type {type(value).__name__}")
