"""Compares calls with the expected ones: names, arguments and their types. Knows nothing of text forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from manus.data.forms.literals import shortened

Call = Mapping[str, Any]
Schema = Mapping[str, Any]

_ABSENT = object()


def compare(expected: Sequence[Call], got: Sequence[Call], tools: Sequence[Schema]) -> tuple[bool, str]:
    """Return whether `got` are the expected calls in any order, and a note why not.

    Strings are compared exactly after stripping. 1 is 1.0 where the schema says `number`; where it says
    `integer`, 1.0 is wrong. True is never 1. An argument may be left out, or given, where its value is
    the schema's default.

    Args:
        expected, got: `{"name", "arguments"}`.
        tools: the offered functions, `{"name", "description", "parameters": JSON Schema}`.
    """
    if len(expected) != len(got):
        return False, f"expected {_count(expected)}, got {_count(got)}"
    schemas = {tool["name"]: tool.get("parameters") or {} for tool in tools}
    unmatched = list(got)
    for call in expected:
        reasons = [_difference(call, other, schemas.get(call["name"], {})) for other in unmatched]
        if None not in reasons:
            # The one of the same name says most; `expected` and `got` are equally long, so there is one.
            same_name = (r for r, o in zip(reasons, unmatched, strict=True) if o["name"] == call["name"])
            return False, next(same_name, None) or str(reasons[0])
        unmatched.pop(reasons.index(None))
    return True, ""


def same_names(expected: Sequence[Call], got: Sequence[Call]) -> bool:
    """Return whether the same functions are called, as often, in any order."""
    return sorted(call["name"] for call in expected) == sorted(call["name"] for call in got)


def _count(calls: Sequence[Call]) -> str:
    return {0: "no call", 1: "one call"}.get(len(calls), f"{len(calls)} calls")


def _difference(expected: Call, got: Call, schema: Schema) -> str | None:
    if expected["name"] != got["name"]:
        return f"expected {expected['name']}, got {got['name']}"
    properties = schema.get("properties") or {}
    wanted, given = expected["arguments"], got["arguments"]
    for name in [*wanted, *(name for name in given if name not in wanted)]:
        described = properties.get(name) or {}
        default = described.get("default", _ABSENT)
        left, right = wanted.get(name, default), given.get(name, default)
        if right is _ABSENT:
            return f"{name} is missing"
        if left is _ABSENT:
            return f"{name} was not asked for"
        if not _same(left, right, described):
            return f"{name}: expected {shortened(left)}, got {shortened(right)}"
    return None


def _same(expected: Any, got: Any, schema: Schema) -> bool:
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, int | float) and isinstance(got, int | float):
        return expected == got and not (_is_integer(schema) and isinstance(got, float))
    if isinstance(expected, str) and isinstance(got, str):
        return expected.strip() == got.strip()
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        items = schema.get("items") if isinstance(schema.get("items"), Mapping) else {}
        return len(expected) == len(got) and all(
            _same(left, right, items or {}) for left, right in zip(expected, got, strict=True)
        )
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        inner = schema.get("properties") or {}
        return expected.keys() == got.keys() and all(
            _same(expected[key], got[key], inner.get(key) or {}) for key in expected
        )
    return expected is None and got is None


def _is_integer(schema: Schema) -> bool:
    kind = schema.get("type")
    return kind == "integer" or (isinstance(kind, list) and "integer" in kind and "number" not in kind)
