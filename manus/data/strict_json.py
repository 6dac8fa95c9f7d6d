"""Reads JSON in which no object says a key twice: of two values one would be lost without a word. Knows no rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

Pairs = list[tuple[str, Any]]
LONGEST_SHOWN = 40  # characters of a key


class RepeatedKey(ValueError):
    """An object has a key twice."""

    def __init__(self, key: object) -> None:
        text = repr(key)
        shown = text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
        super().__init__(
            f"the key {shown} stands twice in one object, and only one of its values could be kept; remove one"
        )


def repeated_key(pairs: Pairs) -> str | None:
    """Return the first key that an object has twice."""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    return None


def as_object(pairs: Pairs) -> dict[str, Any]:
    """Return the object that pairs make.

    Raises:
        RepeatedKey: two have one key.
    """
    made = dict(pairs)
    if len(made) != len(pairs):
        raise RepeatedKey(repeated_key(pairs))
    return made


def decoder(parse_constant: Callable[[str], NoReturn] | None = None) -> json.JSONDecoder:
    """Return a decoder that refuses repeated keys, and what `parse_constant` does of NaN and Infinity."""
    return json.JSONDecoder(object_pairs_hook=as_object, parse_constant=parse_constant)


_DECODER = decoder()


def loads(text: str) -> Any:
    """Return the value that a text of JSON holds.

    Raises:
        RepeatedKey: an object in it has a key twice.
        ValueError: it is no JSON.
        RecursionError: it lies too deep.
    """
    return _DECODER.decode(text)


class Doubled(dict[str, Any]):
    """An object that has a key twice, where one bad row among others is no reason to refuse them all."""

    problem: str


def loads_with_doubled(text: str) -> tuple[Any, bool]:
    """Return the value that a text of JSON holds, in which objects with a key twice are `Doubled`, and whether it has any.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it lies too deep.
    """
    found: list[str] = []

    def made(pairs: Pairs) -> dict[str, Any]:
        try:
            return as_object(pairs)
        except RepeatedKey as error:
            doubled = Doubled(pairs)
            doubled.problem = str(error)
            found.append(doubled.problem)
            return doubled

    return json.loads(text, object_pairs_hook=made), bool(found)


def doubled_within(value: Any) -> str | None:
    """Return what is wrong with the first `Doubled` object in a value; None where there is none."""
    level = [value]
    while level:
        if found := next((one for one in level if isinstance(one, Doubled)), None):
            return found.problem
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return None
