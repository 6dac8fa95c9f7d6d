"""The one text form in which calls are taught and read (Hermes style). Knows nothing of rows or models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from manus.data.forms.call_forms import bare_calls, has_marks, marked_calls
from manus.data.forms.calls import Call, read_calls
from manus.data.forms.literals import read_first, read_sequence, shortened
from manus.data.strict_json import RepeatedKey

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


def parse_calls(text: str, may_be_bare: bool = False) -> list[Call]:
    """Return the calls that `text` makes, in our form or another model's, in order; none is an empty list.

    Args:
        text: what an assistant says.
        may_be_bare: whether a text that is a list of calls and nothing else makes them, as where functions
            are offered.

    Raises:
        ValueError: a block is not closed, not opened, or holds no call.
    """
    found = [call for _, _, calls in _found(text) for call in calls]
    return found or (bare_calls(text) if may_be_bare else [])


def rewrite_calls(text: str, may_be_bare: bool = False, mended: Callable[[Call], Call] | None = None) -> str:
    """Return `text` with every call in our form; what stands around the calls is kept.

    Args:
        text, may_be_bare: as `parse_calls` takes them.
        mended: what is made of each call.

    Raises:
        ValueError: as `parse_calls`.
    """
    found = list(_found(text))
    if not found and may_be_bare and (calls := bare_calls(text)):
        found = [(0, len(text), calls)]
    pieces, position = [], 0
    for start, end, calls in found:
        pieces += [text[position:start], render_calls([mended(call) for call in calls] if mended else calls)]
        position = end
    return "".join([*pieces, text[position:]])


def has_calls(text: str) -> bool:
    """Return whether a text has a mark of a call, in our form or another."""
    return OPEN in text or has_marks(text)


def _found(text: str) -> Iterator[tuple[int, int, list[Call]]]:
    return _blocks(text) if OPEN in text or CLOSE in text else marked_calls(text)


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
    except RepeatedKey:
        raise
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
