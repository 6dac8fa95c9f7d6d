"""Bounds what one operation of a chat template may compute, as nothing can end it while it computes.

Python hears no signal within a power or a product of huge numbers, and a text that is repeated may take all memory.
Knows nothing of conversations.
"""

from __future__ import annotations

from functools import cache
from typing import Any

LARGEST_BITS = 10_000  # of a number
LARGEST_TEXT = 64 << 20  # characters of a text, or items of a list


@cache
def bound_templates() -> None:
    """Let transformers read all templates from now on in a sandbox that refuses such operations."""
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from transformers.utils import chat_template_utils

    class Bounded(ImmutableSandboxedEnvironment):
        """The sandbox that transformers takes, with bounds."""

        intercepted_binops = frozenset({"**", "*"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if is_too_much(operator, left, right):
                raise SecurityError(f"it computes too large a result by {operator}")
            return super().call_binop(context, operator, left, right)

    chat_template_utils.ImmutableSandboxedEnvironment = Bounded


def is_too_much(operator: str, left: Any, right: Any) -> bool:
    """Tell whether a power (`**`) or a product (`*`) is larger than any text of a conversation needs."""
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * max(right, 0) if operator == "**" else left.bit_length() + right.bit_length()
        return bits > LARGEST_BITS
    if operator == "*" and isinstance(left, int):
        left, right = right, left
    if operator == "*" and isinstance(right, int) and hasattr(left, "__len__"):
        return len(left) * right > LARGEST_TEXT
    return False
