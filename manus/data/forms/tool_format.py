"""The one text form in which calls are taught and read (Hermes style). Knows nothing of rows or models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from manus.data.forms.literals import read_first, read_literal, read_sequence, shortened

Call = dict[str, Any]

OPEN, CLOSE = "<tool_call>", "</tool_call>"

# What the assistant says where no offered function does what the user asks for.
NO_FUNCTION_FITS = "None of these functions can do that."

_INSTRUCTION = f'Call functions as\n{OPEN}\n{{"name":…,"arguments":{{…}}}}\n{CLOSE}\nIf none fits, say so.'


def compact_json(value: Any) -> str:
    """Return JSON without spaces, as few tokens as JSON allows.

    Raises:
        ValueError: the value is not JSON (NaN, a date, bytes), or not writable as UTF-8.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode("utf-8")
    except TypeError as error:
        raise ValueError(str(error)) from None
    except UnicodeEncodeError:
        raise ValueError(f"half of a surrogate pair in {shortened(value)}") from None
    return text


def render_tools(tools: Sequence[Mapping[str, Any]]) -> str:
    """Return the system text: how to call, what to do when nothing fits, one function a line."""
    return "\n".join([_INSTRUCTION, "<tools>", *(compact_json(_shown(tool)) for tool in tools), "</tools>"])


def _shown(tool: Mapping[str, Any]) -> dict[str, Any]:
    # That parameters are an object goes without saying; every token is paid for in every sample.
    parameters = {key: item for key, item in tool["parameters"].items() if (key, item) != ("type", "object")}
    return {**tool, "parameters": parameters}


def render_calls(calls: Sequence[Mapping[str, Any]]) -> str:
    """Return one block per call, in order."""
    bodies = [compact_json({"name": call["name"], "arguments": call["arguments"]}) for call in calls]
    return "\n".join(f"{OPEN}\n{body}\n{CLOSE}" for body in bodies)


def read_calls(value: Any) -> list[Call]:
    """Return the calls in `value` as peers write them.

    A call is a mapping or its text, bare or wrapped as OpenAI does (`{"type": "function", "function":
    {...}}`), with `arguments` or `parameters` as a mapping or its text; several calls are a list.

    Raises:
        ValueError: something is not a call.
    """
    if isinstance(value, str):
        value = read_literal(value)
    if isinstance(value, list | tuple):
        return [call for item in value for call in read_calls(item)]
    if not isinstance(value, Mapping):
        raise ValueError(f"a call is an object, not {shortened(value)}")
    body = value["function"] if isinstance(value.get("function"), Mapping) else value
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"a call without a name: {shortened(value)}")
    return [{"name": name.strip(), "arguments": _arguments(name, body)}]


def _arguments(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    given: Any = next((body[key] for key in ("arguments", "parameters") if body.get(key) is not None), {})
    if isinstance(given, str):
        given = read_literal(given) if given.strip() else {}
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise ValueError(f"the arguments of {name!r} are not an object: {shortened(given)}")
    return dict(given)


def parse_calls(text: str) -> list[Call]:
    """Return the calls that `text` makes, in order; none is an empty list.

    Raises:
        ValueError: a block is not closed, not opened, or holds no call.
    """
    return [call for _, _, calls in _blocks(text) for call in calls]


def rewrite_calls(text: str) -> str:
    """Return `text` with every block in our form; what stands around the blocks is kept.

    Raises:
        ValueError: as `parse_calls`.
    """
    pieces, position = [], 0
    for start, end, calls in _blocks(text):
        pieces += [text[position:start], render_calls(calls)]
        position = end
    return "".join([*pieces, text[position:]])


def _blocks(text: str) -> Iterator[tuple[int, int, list[Call]]]:
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        if CLOSE in text[position:start]:
            raise ValueError(f"{CLOSE} without {OPEN}")
        calls, end = _read_block(text, start + len(OPEN))
        yield start, end, calls
        position = end
    if CLOSE in text[position:]:
        raise ValueError(f"{CLOSE} without {OPEN}")


def _read_block(text: str, start: int) -> tuple[list[Call], int]:
    # JSON first, from where the block begins: an argument may itself contain the closing tag.
    try:
        value, after = read_first(text, start)
        rest = text[after:].lstrip()
        if rest.startswith(CLOSE):
            return _calls_of_block(value), len(text) - len(rest) + len(CLOSE)
    except ValueError:
        pass
    end = text.find(CLOSE, start)
    if end < 0:
        raise ValueError(f"{OPEN} is not closed")
    return _calls_of_block(read_sequence(text[start:end])), end + len(CLOSE)


def _calls_of_block(value: Any) -> list[Call]:
    calls = read_calls(value)
    if not calls:
        raise ValueError(f"{OPEN} holds no call")
    return calls
