"""Says who speaks in a turn, by the names that peers have for roles. Knows nothing of what is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "chatbot": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "observations": "tool",
    "tool_response": "tool",
    "tool_result": "tool",
    "function_response": "tool",
    "ipython": "tool",
}
CALL_ROLES = {"function_call", "tool_call"}
ROLE_KEYS = ("role", "from")


def word(role_name: str) -> str:
    """Return a role's name as it is looked up."""
    return role_name.strip().lower().replace("-", "_")


def is_from_assistant(turn: Mapping[str, Any]) -> bool:
    """Return whether a turn says of itself that it is the assistant's."""
    role = first(turn, *ROLE_KEYS)
    return isinstance(role, str) and (ROLES.get(word(role)) == "assistant" or word(role) in CALL_ROLES)


def first(mapping: Mapping[str, Any], *keys: str) -> Any:
    """Return the first value that is there under one of several keys."""
    # Arrow fills what a turn does not have with nulls.
    return next((mapping[key] for key in keys if mapping.get(key) is not None), None)
