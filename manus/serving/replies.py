"""What is known of an answer of a conversation. Knows nothing of who gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Reply:
    """What is known of an answer once it has been given."""

    text: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    first_token_seconds: float = 0.0
    seconds: float = 0.0
    was_stopped: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what `manus chat --json` prints."""
        return {
            "answer": self.text,
            "prompt_tokens": self.prompt_tokens,
            "tokens": self.tokens,
            "first_token_seconds": round(self.first_token_seconds, 3),
            "seconds": round(self.seconds, 3),
        }
