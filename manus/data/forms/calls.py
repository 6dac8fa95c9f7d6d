"""Reads a call from a mapping or its text, as peers write it. Knows nothing of the texts around calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manus.data.forms.literals import read_literal, shortened

Call = dict[str, Any]

ARGUMENTS = ("arguments", "parameters", "input", "args", "kwargs")
# What else a call may say, which is none of its arguments.
_BESIDE = frozenset(["name", "id", "type", "function", "index", "call_id", "cache_control"])


def read_calls(value: Any) -> list[Call]:
    """Return the calls in `value` as peers write them.

    A call is a mapping or its text, bare or wrapped as OpenAI does (`{"type": "function", "function":
    {...}}`), with `arguments`, `parameters`, (Anthropic) `input` or (LangChain) `args` as a mapping or its
    text; several calls are a list.

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
    given: Any = next((body[key] for key in ARGUMENTS if body.get(key) is not None), None)
    if given is None:
        if other := next(
            (key for key in body if key not in _BESIDE and isinstance(body[key], Mapping) and body[key]), None
        ):
            raise ValueError(f"the arguments of {name!r} stand under {other!r}; call that 'arguments'")
        given = {}
    if isinstance(given, str):
        given = read_literal(given) if given.strip() else {}
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise ValueError(f"the arguments of {name!r} are not an object: {shortened(given)}")
    return dict(given)
