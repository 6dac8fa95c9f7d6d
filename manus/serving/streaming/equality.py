"""Says whether streamed answers are those that came at once, and if not, how they differ. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SHOWN_DIFFERENCES = 3


@dataclass(frozen=True, slots=True)
class Said:
    """An answer to compare: its text, thought (if the server tells it), tokens or their number, its end."""

    text: str
    thought: str = ""
    tokens: tuple[int, ...] | int = 0
    finish: str | None = None


def comparison(
    where: str, drawn: str, at_once: Sequence[Said], streamed: Sequence[Said], asked: Sequence[str]
) -> dict[str, Any]:
    """Return how many answers are equal in all they are, and the first ones that are not.

    Args:
        where: who was asked, such as "in process".
        drawn: how tokens were chosen, such as "greedy".
        at_once, streamed: the answers to the same questions, in the same order.
        asked: the last turn of each question, for people.
    """
    pairs = list(zip(at_once, streamed, asked, strict=True))
    differences = [
        {"question": question, "at_once": shown(whole, stream), "streamed": shown(stream, whole)}
        for whole, stream, question in pairs
        if whole != stream
    ]
    return {
        "where": where,
        "drawn": drawn,
        "answers": len(pairs),
        "equal": len(pairs) - len(differences),
        "differences": differences[:SHOWN_DIFFERENCES],
    }


def shown(said: Said, other: Said) -> str:
    """Return an answer as it is shown beside another one: its text, and what else tells them apart."""
    parts = [said.text]
    if said.thought != other.thought:
        parts.append(f"[thought: {said.thought}]")
    if said.tokens != other.tokens:
        parts.append(f"[tokens: {said.tokens if isinstance(said.tokens, int) else list(said.tokens)}]")
    if said.finish != other.finish:
        parts.append(f"[ends by {said.finish}]")
    return " ".join(parts)
