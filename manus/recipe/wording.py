"""Names values and paths of keys in messages: short, on one line, harmless to a terminal. Knows no YAML."""

from __future__ import annotations

import re
from typing import Any

KeyPath = tuple[str | int, ...]

LONGEST_SHOWN_CHARACTERS = 60
WORD = re.compile(r"[\w*<-][\w*<@/-]*")


def dotted(keys: KeyPath) -> str:
    """Return a path of keys as people write it: `capabilities[1].cot.epochs`."""
    return (
        "".join(f"[{key}]" if isinstance(key, int) else f".{_key(key)}" for key in keys).lstrip(".")
        or "recipe"
    )


def shown(value: Any) -> str:
    """Return a value as messages name it."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "`key: value` pairs"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    return shortened(str(value).lower() if isinstance(value, bool) else repr(value))


def quoted(text: str) -> str:
    """Return a text in quotes, shortened, with control characters escaped."""
    return repr(shortened(text))


def shortened(text: str) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= LONGEST_SHOWN_CHARACTERS else f"{text[: LONGEST_SHOWN_CHARACTERS - 3]}..."


def printable(text: str) -> str:
    """Return a text without quotes, shortened, unless it holds control characters."""
    return shortened(text) if text.isprintable() else quoted(text)


def _key(key: str) -> str:
    return shortened(key) if WORD.fullmatch(key) else quoted(key)
