"""What the rows of training services have in common: turns of parts that have no type. Opens no medium."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from manus.data.forms.literals import shortened
from manus.data.sample import RowError

Turn = dict[str, Any]
MEDIA = ("image", "video", "audio")


def are_objects(value: Any) -> TypeGuard[Sequence[Mapping[str, Any]]]:
    """Return whether a value is a list of objects, and has some."""
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, Mapping) for one in value)


def there_in(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is there: Arrow gives each block the keys of all others, as nulls."""
    return {key: value for key, value in block.items() if value is not None}


def texts_in(parts: Any, name: str) -> Iterator[str]:
    """Yield the texts that parts are.

    Raises:
        RowError: one is none.
    """
    if not are_objects(parts):
        raise RowError(f"{name!r} has no parts: {shortened(parts)}")
    for part in parts:
        if there_in(part).keys() != {"text"} or not isinstance(part["text"], str):
            raise RowError(f"{name!r} has a part that is no text: {shortened(there_in(part))}")
        yield part["text"]


def chat_turn(
    role: str,
    rest: Mapping[str, Any],
    content: Sequence[dict[str, Any]],
    calls: Sequence[Any],
    thoughts: Sequence[str],
) -> Turn:
    """Return a turn as everybody else writes it; texts that follow each other are one."""
    are_texts = all(part["type"] == "text" for part in content)
    made: Turn = {
        **rest,
        "role": role,
        "content": "".join(p["text"] for p in content) if are_texts else list(content),
    }
    if calls:
        made["tool_calls"] = list(calls)
    if thoughts:
        made["reasoning_content"] = "\n".join(thoughts)
    return made
