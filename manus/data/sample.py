"""The forms that rows of data take inside Manus. Knows nothing of files, capabilities or tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

Row = Mapping[str, Any]


class Message(TypedDict):
    """One turn of a conversation, as chat templates of transformers take it."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Sample(TypedDict):
    """A row in the form that methods train on; `messages` ends with the assistant's turn.

    `text` stands alone (continued pre-training). `answer` is what a verifier compares with.
    `tools` are functions as JSON Schema, `calls` the expected `{name, arguments}` in order.
    `level` groups samples in a probe's result.
    """

    messages: NotRequired[list[Message]]
    text: NotRequired[str]
    answer: NotRequired[str]
    tools: NotRequired[list[dict[str, Any]]]
    calls: NotRequired[list[dict[str, Any]]]
    level: NotRequired[str]


class RowError(ValueError):
    """A row cannot become a sample; the message is the reason shown in the quarantine."""
