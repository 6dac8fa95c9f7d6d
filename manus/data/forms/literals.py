"""Reads values that were written as text: JSON, or the Python literals that some data sets hold instead."""

from __future__ import annotations

import ast
from typing import Any, NoReturn

from manus.data.strict_json import RepeatedKey, decoder


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_DECODER = decoder(_refuse_constant)


def read_literal(text: str) -> Any:
    """Return the one value that `text` holds.

    Raises:
        RepeatedKey: an object in it has a key twice.
        ValueError: it is neither JSON nor a Python literal.
    """
    text = text.strip()
    try:
        return _DECODER.decode(text)
    except RepeatedKey:
        raise
    except (ValueError, RecursionError):
        pass
    try:
        tree = ast.parse(text, mode="eval")
        value = ast.literal_eval(tree)
        _refuse_repeated(tree)
        return value
    except RepeatedKey:
        raise
    # Deep nesting, unhashable keys and NUL bytes each raise something else; all mean "not a literal".
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise ValueError(f"neither JSON nor a Python literal: {shortened(text)}") from None


def _refuse_repeated(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        seen = set[Any]()
        for key in node.keys if isinstance(node, ast.Dict) else ():
            value = None if key is None else ast.literal_eval(key)
            if value in seen:
                raise RepeatedKey(value)
            seen.add(value)


def read_first(text: str, start: int) -> tuple[Any, int]:
    """Return the JSON value that begins at `start` (after spaces), and where it ends.

    Raises:
        RepeatedKey: one does, and an object in it has a key twice.
        ValueError: no JSON value begins there.
    """
    while start < len(text) and text[start].isspace():
        start += 1
    try:
        return _DECODER.raw_decode(text, start)
    except RepeatedKey:
        raise
    except (ValueError, RecursionError):
        raise ValueError(f"not JSON: {shortened(text[start:])}") from None


def read_sequence(text: str) -> list[Any]:
    """Return the values of a list, of JSON values that follow each other, or of one literal a line.

    Raises:
        ValueError: it is none of the three.
    """
    try:
        value = read_literal(text)
        return list(value) if isinstance(value, list | tuple) else [value]
    except RepeatedKey:
        raise
    except ValueError:
        pass
    values, position, end = [], 0, len(text.rstrip())
    try:
        while position < end:
            value, position = read_first(text, position)
            values.append(value)
        return values
    except RepeatedKey:
        raise
    except ValueError:
        return [read_literal(line) for line in text.splitlines() if line.strip()]


def shortened(value: object, limit_characters: int = 60) -> str:
    """Return what `value` looks like as a literal, short enough for a message."""
    text = repr(value)
    return text if len(text) <= limit_characters else f"{text[: limit_characters - 1]}…"
