"""Finds calls in the text forms of other models. Knows nothing of rows, or of the form that is taught.

| form | looks like |
|---|---|
| Glaive | `<functioncall> {"name": "w", "arguments": '{"c": "x"}'}` |
| Llama | `<|python_tag|>{"name": "w", "parameters": {"c": "x"}}`, `<function=w>{"c": "x"}</function>` |
| Mistral | `[TOOL_CALLS] [{"name": "w", "arguments": {"c": "x"}}]`, `[TOOL_CALLS]w[ARGS]{"c": "x"}` |
| Phi, Granite | `<|tool_call|>[{"name": "w", "arguments": {"c": "x"}}]<|/tool_call|>` |
| ToolACE, Llama's Python form | `[w(c="x"), v()]`, and nothing else |
| bare JSON | `{"name": "w", "arguments": {"c": "x"}}`, or a list, and nothing else |
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from manus.data.forms.calls import ARGUMENTS, Call, read_calls
from manus.data.forms.literals import read_first, read_literal, read_sequence, shortened

END_MARKS = ("<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "</s>")

_GLAIVE, _PYTHON_TAG, _MISTRAL, _PHI = "<functioncall>", "<|python_tag|>", "[TOOL_CALLS]", "<|tool_call|>"
_LLAMA = re.compile(r"<function=([^>]+)>(.*?)</function>", re.DOTALL)
_QUOTED_ARGUMENTS = re.compile(r"""\{\s*"name"\s*:\s*"([^"]+)"\s*,\s*"arguments"\s*:\s*'(.*)'\s*\}""", re.DOTALL)
_NAMED = re.compile(r"\s*([\w.-]+)(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?\s*(?=\{)")
_WRITTEN_CALL = re.compile(r"\[\s*[A-Za-z_][^\[\]()\"'{}=,]*\(")
_KEYS_OF_CALLS = frozenset(["name", "id", "type", "function", *ARGUMENTS])
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}

Found = tuple[int, int, list[Call]]  # where the form begins and ends, and the calls in it


def marked_calls(text: str) -> Iterator[Found]:
    """Yield the calls that stand behind the marks of other models, in order.

    Raises:
        ValueError: behind a mark there is no call.
    """
    found = [one for mark, ends, read in _MARKED for one in _behind(text, mark, ends, read)]
    for match in _LLAMA.finditer(text):
        arguments = read_literal(match[2]) if match[2].strip() else {}
        found.append((*match.span(), read_calls({"name": match[1], "arguments": arguments})))
    yield from sorted(found, key=lambda one: one[0])


def has_marks(text: str) -> bool:
    """Return whether a text has a mark of a call."""
    return any(mark in text for mark, _, _ in _MARKED) or _LLAMA.search(text) is not None


def bare_calls(text: str) -> list[Call]:
    """Return the calls that a text consists of, without any mark; none where it is no list of calls.

    Raises:
        ValueError: it looks like calls in Python, and cannot be read.
    """
    text = without_end_marks(text)
    if _WRITTEN_CALL.match(text) and text.endswith(")]"):
        return _written(text)
    if not text.startswith(("{", "[")):
        return []
    try:
        values = _json_values(text)
    except ValueError:
        return []
    return read_calls(values) if values and all(map(_is_call, values)) else []


def without_end_marks(text: str) -> str:
    """Return a text without marks that end a turn, where they were left at its end."""
    text = text.strip()
    while mark := next((mark for mark in END_MARKS if text.endswith(mark)), None):
        text = text.removesuffix(mark).rstrip()
    return text


def _behind(text: str, mark: str, ends: tuple[str, ...], read: Callable[[str], list[Call]]) -> Iterator[Found]:
    start = text.find(mark)
    while start >= 0:
        begin = start + len(mark)
        closing = [(place, end) for end in ends if (place := text.find(end, begin)) >= 0]
        place, end = min(closing, default=(len(text), ""))
        calls = read(text[begin:place])
        if not calls:
            raise ValueError(f"{mark} without a call: {shortened(text[begin:place].strip())}")
        yield start, place + (0 if end == mark else len(end)), calls
        start = text.find(mark, place)


def _read_glaive(body: str) -> list[Call]:
    if quoted := _QUOTED_ARGUMENTS.fullmatch(body.strip()):
        # The arguments are JSON in single quotes, in which apostrophes may stand as they are, or escaped.
        try:
            arguments = json.loads(quoted[2])
        except ValueError:
            arguments = json.loads(quoted[2].replace("\\'", "'"))
        return read_calls({"name": quoted[1], "arguments": arguments})
    return _read_sequence(body)


def _read_sequence(body: str) -> list[Call]:
    return read_calls(_json_values(body))


def _json_values(text: str) -> list[Any]:
    """Return the values of a text of JSON: one, a list of them, or several with semicolons between them, as Llama writes."""
    try:
        return read_sequence(text)
    except ValueError:
        if ";" not in text:
            raise
    values, position = [], 0
    while position < len(text):
        value, position = read_first(text, position)
        values.append(value)
        rest = text[position:].lstrip(" \n;")
        position = len(text) - len(rest)
    return values


def _read_mistral(body: str) -> list[Call]:
    calls: list[Call] = []
    while named := _NAMED.match(body):
        arguments, end = read_first(body, named.end())
        calls += read_calls({"name": named[1], "arguments": arguments})
        body = body[end:].lstrip(" \n,")
    return calls if calls and not body.strip() else calls + _read_sequence(body)


def _read_python_tag(body: str) -> list[Call]:
    return _written(f"[{body.strip()}]") if _WRITTEN_CALL.match(f"[{body.strip()}") else _read_sequence(body)


_MARKED: tuple[tuple[str, tuple[str, ...], Callable[[str], list[Call]]], ...] = (
    (_GLAIVE, ("</functioncall>", *END_MARKS, _GLAIVE), _read_glaive),
    (_PYTHON_TAG, (*END_MARKS, _PYTHON_TAG), _read_python_tag),
    (_MISTRAL, ("[/TOOL_CALLS]", *END_MARKS, _MISTRAL), _read_mistral),
    (_PHI, ("<|/tool_call|>", *END_MARKS, _PHI), _read_sequence),
)


def _is_call(value: Any) -> bool:
    if not isinstance(value, Mapping) or not value.keys() <= _KEYS_OF_CALLS:
        return False
    body = value["function"] if isinstance(value.get("function"), Mapping) else value
    return isinstance(body.get("name"), str) and any(isinstance(body.get(key), Mapping | str) for key in ARGUMENTS)


def _written(text: str) -> list[Call]:
    """Return calls that are written as in Python, between brackets; names may be of several words."""
    calls: list[Call] = []
    inside, position = text[1:-1], 0
    while position < len(inside):
        opened = inside.find("(", position)
        closed = _closing(inside, opened) if opened >= 0 else -1
        name = inside[position:opened].strip()
        if closed < 0 or not name:
            raise ValueError(f"not a list of calls: {shortened(text)}")
        calls.append({"name": name, "arguments": _keywords(name, inside[opened + 1 : closed])})
        rest = inside[closed + 1 :].lstrip()
        if rest and rest[0] not in ",;":
            raise ValueError(f"not a list of calls: {shortened(text)}")
        position = len(inside) - len(rest) + 1 if rest else len(inside)
    return calls


def _keywords(name: str, text: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for part in _split(text, ","):
        key, *value = _split(part, "=")
        if not value or not key.strip():
            raise ValueError(f"an argument of {name!r} without its name: {shortened(part.strip())}")
        written = part.split("=", 1)[1].strip()
        constant = written.lower()
        arguments[key.strip()] = _CONSTANTS[constant] if constant in _CONSTANTS else read_literal(written)
    return arguments


def _split(text: str, separator: str) -> list[str]:
    """Return the parts of a text between separators that stand outside quotes and brackets; blank ones are left out."""
    parts, begin = list[str](), 0
    for place, character in _outside(text):
        if character == separator:
            parts.append(text[begin:place])
            begin = place + 1
    return [part for part in (*parts, text[begin:]) if part.strip()]


def _closing(text: str, opened: int) -> int:
    """Return where the bracket that opens at a place is closed, -1 where it is not."""
    return next((opened + 1 + place for place, c in _outside(text[opened + 1 :]) if c == ")"), -1)


def _outside(text: str) -> Iterator[tuple[int, str]]:
    """Yield the characters that stand outside quotes and inner brackets, with their places."""
    quote, depth, is_escaped = "", 0, False
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote and not is_escaped else quote
            is_escaped = character == "\\" and not is_escaped
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}" and depth:
            depth -= 1
        elif not depth:
            yield place, character
