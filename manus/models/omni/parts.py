"""Turns messages whose content is parts into texts with placeholders. Decodes nothing, knows no tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manus.data.sample import NEVER_WRITTEN, PLACEHOLDERS, MediumKind

PART_KEYS: dict[MediumKind, tuple[str, ...]] = {
    "image": ("image", "url", "path"),
    "video": ("video", "url", "path"),
    "audio": ("audio", "url", "path"),
}


def plain(message: Mapping[str, Any], media: dict[MediumKind, list[Any]]) -> dict[str, Any]:
    """Return a message whose content is a text with placeholders; its media are appended by kind."""
    content = message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, list | tuple):
        return dict(message)
    text = ""
    for part in parts:
        kind = part["type"]
        if kind == "text":
            if found := NEVER_WRITTEN.search(part["text"]):
                raise ValueError(f"a text holds {found[0]}; give the medium as a part of its own instead")
            text += part["text"]
            continue
        if kind not in PART_KEYS:
            raise ValueError(f"a part of type {kind!r}; known: text, {', '.join(PART_KEYS)}")
        given = [part[key] for key in PART_KEYS[kind] if part.get(key) is not None]
        if not given:
            raise ValueError(f"a part of type {kind!r} without {' or '.join(map(repr, PART_KEYS[kind]))}")
        media[kind].append(given[0])
        text += PLACEHOLDERS[kind]
    return {**message, "content": text}
