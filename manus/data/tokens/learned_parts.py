"""Says what of an assistant's turn is learned, by its own mark. Knows nothing of templates or tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manus.data.sample import RowError

Span = tuple[int, int]


def learned_parts(message: Mapping[str, Any], text: str, span: Span) -> list[Span]:
    """Return what of a turn is learned, in characters of the rendered conversation.

    Args:
        message: the turn; its `learn` is False, or has the ranges of its content that are learned. What
            follows the content, as the mark of the turn's end, is learned with them.
        text: the rendered conversation.
        span: where the turn stands in it, with its end mark.

    Raises:
        RowError: the content does not stand in the turn as it is, so that ranges of it cannot be found.
    """
    learn = message.get("learn", True)
    if not isinstance(learn, list | tuple):
        return [span] if learn else []
    content = message["content"]
    if not isinstance(content, str):
        content = "".join(part.get("text", "") for part in content)
    begin = text.find(content, *span)
    if begin < 0:
        raise RowError(
            "the chat template does not show a turn as it stands in the data, of which only a part is learned"
        )
    parts = [(begin + first, begin + behind) for first, behind in learn]
    end = (begin + len(content), span[1])
    return [*parts, end] if end[0] < end[1] else parts
