"""Chooses which completions of a training its report shows, so that one sees how they changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manus.report.samples import shortened

SHOWN_STEPS = 5
SHOWN_PROMPTS = 3
LONGEST_GLANCE = 320
RECURRING_SHARE = 0.5  # of the steps


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote at a step: all of it, the glance shown first if that is long, and its rewards."""

    step: int
    text: str
    glance: str
    reward: float | None
    components: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Prompted:
    """A prompt and what the model made of it over the steps."""

    prompt: str
    expected: str
    written: tuple[Written, ...]


def choose_completions(rows: Sequence[Mapping[str, Any]]) -> list[Prompted]:
    """Choose completions of a few steps spread over training: the first, the last and some between.

    Prompts that come back are followed through training; where none does, each step shows a prompt of its
    own. Of several completions of one prompt at one step the first is shown, whatever its reward: nothing is
    picked to please.

    Args:
        rows: `step`, `prompt`, `completion`, and perhaps `expected`, `reward` and `rewards` by component.
    """
    by_step: dict[int, Mapping[str, Any]] = {}
    by_prompt: dict[str, dict[int, Mapping[str, Any]]] = {}
    for row in rows:
        by_step.setdefault(row["step"], row)
        by_prompt.setdefault(row["prompt"], {}).setdefault(row["step"], row)
    enough = max(2, RECURRING_SHARE * len(by_step))
    recurring = [found for found in by_prompt.values() if len(found) >= enough]
    if recurring:
        return [
            _prompted([found[step] for step in spread(sorted(found))]) for found in recurring[:SHOWN_PROMPTS]
        ]
    return [_prompted([by_step[step]]) for step in spread(sorted(by_step))]


def spread(steps: Sequence[int], most: int = SHOWN_STEPS) -> list[int]:
    """Return at most so many (two or more) of the steps, evenly spread, the first and the last among them."""
    if len(steps) <= most:
        return list(steps)
    return [steps[round(index * (len(steps) - 1) / (most - 1))] for index in range(most)]


def glance(text: str) -> str:
    """Return the beginning and the end of a long text, where answers stand; an empty text if it is short."""
    if len(text) <= LONGEST_GLANCE:
        return ""
    half = LONGEST_GLANCE // 2
    return f"{text[:half].rstrip()} … {text[-half:].lstrip()}"


def _prompted(rows: Sequence[Mapping[str, Any]]) -> Prompted:
    first = rows[0]
    return Prompted(
        shortened(first["prompt"]), shortened(first.get("expected") or ""), tuple(map(_written, rows))
    )


def _written(row: Mapping[str, Any]) -> Written:
    text = row["completion"]
    return Written(
        row["step"], shortened(text), glance(text), row.get("reward"), dict(row.get("rewards") or {})
    )
