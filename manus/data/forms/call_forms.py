"""Finds calls in the text forms of other models. Knows nothing of rows, or of the form that is taught.

| form | looks like |
|---|---|
| Glaive | `<functioncall> {"name": "w", "arguments": '{"c": "x"}'}` |
| Llama | `<|python_tag|>{"name": "w", "parameters": {"c": "x"}}`, `<function=w>{"c": "x"}</function>` |
| Mistral | `[TOOL_CALLS] [{"name": "w", "arguments": {"c": "x"}}]`, `[TOOL_CALLS]w[ARGS]{"c": "x"}` |
| Phi, Granite | `<|tool_call|>[{"name": "w", "arguments": {"c": "x"}}]<|/tool_call|>` |
| Nemotron, LFM2 | `<TOOLCALL>[{"name": "w", ...}]</TOOLCALL>`,
`<|tool_call_start|>[w(c="x")]<|tool_call_end|>` |
| DeepSeek | `<｜tool▁call▁begin｜>function<｜tool▁sep｜>w`, then its arguments, also between ``` marks,
`<｜tool▁call▁end｜>` |
| ToolACE, Llama's Python form | `[w(c="x"), v()]`, and nothing else |
| bare JSON | `{"name": "w", "arguments": {"c": "x"}}`, or a list, and nothing else; also between ``` marks |

Calls in forms that are none of these are refused where a row has functions, so that they are not taught as
words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from manus.data.forms.calls import ARGUMENTS, Call, read_calls
from manus.data.forms.literals import read_first, read_literal, read_sequence, shortened
from manus.data.strict_json import RepeatedKey, loads

END_MARKS = ("<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "</s>")

_GLAIVE, _PYTHON_TAG, _MISTRAL, _PHI = "<functioncall>", "<|python_tag|>", "[TOOL_CALLS]", "<|tool_call|>"
_NEMOTRON, _LFM2 = "<TOOLCALL>", "<|tool_call_start|>"
_DEEPSEEK, _END_OF_DEEPSEEK = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
_DEEPSEEK_CALL = re.compile(
    r"<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?\s*([^<\n]+?)\s*(?:<｜tool▁sep｜>)?\s*"
    r"(?:```json)?\s*(\{.*?\})\s*(?:```)?\s*<｜tool▁call▁end｜>",
    re.DOTALL,
)
_FENCED = re.compile(r"```(?:json|tool_call|tool_calls)?[ \t]*\n(.*)\n```", re.DOTALL)
_CALLED_BY_LLAMA = ".call"  # Llama 3.1's own functions: brave_search.call(query="x")
_OTHER_MARKS = re.compile(
    r"<tool_calls>|<function_calls?>|<invoke name=|<minimax:tool_call>|\[TOOL_REQUEST\]"
    r"|<\|tool_calls?_section_begin\|>|<\|action_start\|>|✿FUNCTION✿|<start_function_call>"
    r"|to=functions\.\w|```tool_code|functools\[|<tool_use>|<use_mcp_tool>|<tool_name>"
    r"|^Action:.+\n+Action Input:",
    re.MULTILINE,
)
_LLAMA = re.compile(r"<function=([^>]+)>(.*?)</function>", re.DOTALL)
_QUOTED_ARGUMENTS = re.compile(
    r"""\{\s*"name"\s*:\s*"([^"]+)"\s*,\s*"arguments"\s*:\s*'(.*)'\s*\}""", re.DOTALL
)
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


def refuse_other_forms(text: str) -> None:
    """Refuse calls in a form that is not read, which would be taught as words.

    Raises:
        ValueError: there are some.
    """
    if found := _OTHER_MARKS.search(text):
        raise ValueError(
            f"it calls a function in a form that is not read, {shortened(found[0])}; "
            "write the call as a turn's 'tool_calls'"
        )


def bare_calls(text: str) -> list[Call]:
    """Return the calls that a text consists of, without any mark; none where it is no list of calls.

    Raises:
        ValueError: it looks like calls in Python, and cannot be read.
    """
    text = without_end_marks(text)
    if fenced := _FENCED.fullmatch(text):
        text = fenced[1].strip()
    if _WRITTEN_CALL.match(text) and text.endswith(")]"):
        return written_calls(text)
    if not text.startswith(("{", "[")):
        return []
    try:
        values = _json_values(text)
    except RepeatedKey:
        raise
    except ValueError:
        return []
    return read_calls(values) if values and all(map(_is_call, values)) else []


def without_end_marks(text: str) -> str:
    """Return a text without marks that end a turn, where they were left at its end."""
    text = text.strip()
    while mark := next((mark for mark in END_MARKS if text.endswith(mark)), None):
        text = text.removesuffix(mark).rstrip()
    return text


def _behind(
    text: str, mark: str, ends: tuple[str, ...], read: Callable[[str], list[Call]]
) -> Iterator[Found]:
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
            arguments = loads(quoted[2])
        except RepeatedKey:
            raise
        except ValueError:
            arguments = loads(quoted[2].replace("\\'", "'"))
        return read_calls({"name": quoted[1], "arguments": arguments})
    return _read_sequence(body)


def _read_sequence(body: str) -> list[Call]:
    return read_calls(_json_values(body))


def _json_values(text: str) -> list[Any]:
    """Return the values of a text of JSON: one, a list, or several between semicolons, as Llama writes."""
    try:
        return read_sequence(text)
    except RepeatedKey:
        raise
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
    if not _WRITTEN_CALL.match(f"[{body.strip()}"):
        return _read_sequence(body)
    calls = written_calls(f"[{body.strip()}]")
    return [{**call, "name": call["name"].removesuffix(_CALLED_BY_LLAMA)} for call in calls]


def _read_brackets(body: str) -> list[Call]:
    return written_calls(body.strip()) if _WRITTEN_CALL.match(body.strip()) else _read_sequence(body)


def _read_deepseek(body: str) -> list[Call]:
    calls = [{"name": call[1], "arguments": read_literal(call[2])} for call in _DEEPSEEK_CALL.finditer(body)]
    rest = _DEEPSEEK_CALL.sub("", body).strip()
    if rest:
        raise ValueError(f"not a call as DeepSeek writes it: {shortened(rest)}")
    return read_calls(calls)


_MARKED: tuple[tuple[str, tuple[str, ...], Callable[[str], list[Call]]], ...] = (
    (_GLAIVE, ("</functioncall>", *END_MARKS, _GLAIVE), _read_glaive),
    (_PYTHON_TAG, (*END_MARKS, _PYTHON_TAG), _read_python_tag),
    (_MISTRAL, ("[/TOOL_CALLS]", *END_MARKS, _MISTRAL), _read_mistral),
    (_PHI, ("<|/tool_call|>", *END_MARKS, _PHI), _read_sequence),
    (_NEMOTRON, ("</TOOLCALL>", *END_MARKS, _NEMOTRON), _read_sequence),
    (_LFM2, ("<|tool_call_end|>", *END_MARKS, _LFM2), _read_brackets),
    (_DEEPSEEK, (_END_OF_DEEPSEEK, *END_MARKS, _DEEPSEEK), _read_deepseek),
)
CALL_MARKS = (*(mark for mark, _, _ in _MARKED), "<function=")  # that calls of other models begin with


def _is_call(value: Any) -> bool:
    if not isinstance(value, Mapping) or not value.keys() <= _KEYS_OF_CALLS:
        return False
    body = value["function"] if isinstance(value.get("function"), Mapping) else value
    return isinstance(body.get("name"), str) and any(
        isinstance(body.get(key), Mapping | str) for key in ARGUMENTS
    )


def written_calls(text: str) -> list[Call]:
    """Return calls that are written as in Python, between brackets; names may be of several words.

    Raises:
        ValueError: they are none.
    """
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
        if key.strip() in arguments:
            raise RepeatedKey(key.strip())
        written = part.split("=", 1)[1].strip()
        constant = written.lower()
        arguments[key.strip()] = _CONSTANTS[constant] if constant in _CONSTANTS else read_literal(written)
    return arguments


def _split(text: str, separator: str) -> list[str]:
    """Return the parts of a text between separators outside quotes and brackets; blank ones are left out."""
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
