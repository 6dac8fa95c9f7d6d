"""The one text form of thinking before answering: a <think> block, then the answer. Knows no data set."""

from __future__ import annotations

import re

OPEN, CLOSE = "<think>", "</think>"

_MARKED = re.compile(
    r"<\|begin_of_thought\|>(?P<thought>.*?)<\|end_of_thought\|>\s*"
    r"<\|begin_of_solution\|>(?P<answer>.*?)(?:<\|end_of_solution\|>|$)",
    re.DOTALL,
)


def render_thought(thought: str, answer: str) -> str:
    """Return the assistant's turn: the block on lines of its own, then the answer."""
    return f"{OPEN}\n{thought.strip()}\n{CLOSE}\n{answer.strip()}"


def from_markers(text: str) -> str:
    """Return OpenThoughts' `<|begin_of_thought|>` form in ours; text without those markers is unchanged.

    Raises:
        ValueError: the markers are there, but not as a thought followed by a solution.
    """
    if "<|begin_of_thought|>" not in text and "<|begin_of_solution|>" not in text:
        return text
    found = _MARKED.search(text)
    if found is None:
        raise ValueError("the thought markers are incomplete")
    return render_thought(found["thought"], found["answer"])


def split_thought(text: str) -> tuple[str, str] | None:
    """Return thought and answer, or None unless one closed, non-empty block leads to an answer."""
    body = text.strip()
    if not body.startswith(OPEN) or body.count(OPEN) != 1 or body.count(CLOSE) != 1:
        return None
    thought, answer = body.removeprefix(OPEN).split(CLOSE)
    thought, answer = thought.strip(), answer.strip()
    return (thought, answer) if thought and answer else None


def spoken_part(text: str) -> str:
    """Return what follows the thinking: all of `text` without a block, nothing where it never ends."""
    if CLOSE in text:
        return text.rpartition(CLOSE)[2].strip()
    return "" if OPEN in text else text.strip()
