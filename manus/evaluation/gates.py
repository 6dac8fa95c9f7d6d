"""Decides whether a merged model may be shown. Pure: it sees numbers, never models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manus.evaluation.gate_settings import GateSettings

ROUNDING = 1e-9  # 0.5625 - 0.5125 is a little more than 0.05
EQUALITY = "equal_answers"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one limit said of one stage; `streams`, where it holds streamed answers: how many side by side.

    `measured` is None where nothing could be measured, which no limit lets pass.
    """

    stage: str
    limit: str
    allowed: float
    measured: float | None
    is_passed: bool
    streams: int | None = None

    def __str__(self) -> str:
        sign = ">=" if self.limit.startswith("min_") else "<="
        word = "passed" if self.is_passed else "FAILED"
        if self.limit == EQUALITY:
            return (
                f"{word}: {self.stage}: {self.measured:g} of {self.allowed:g} streamed answers are those "
                "that come at once"
            )
        if self.streams is not None:
            measured = "not measured" if self.measured is None else f"{self.measured:.3f}"
            return (
                f"{word}: {self.stage}, {of_streams(self.streams)}: {self.limit} is {measured}, "
                f"must be {sign} {self.allowed:.3f}"
            )
        return (
            f"{word}: {self.stage}: {self.limit} is {self.measured:+.3f}, must be {sign} {self.allowed:+.3f}"
        )


def judge(stage: str, gate: GateSettings, before: float, after: float, merged: float) -> list[Verdict]:
    """Hold a stage's probe against its limits.

    Args:
        stage: the stage's name.
        gate: its limits.
        before, after, merged: the probe on the model that the stage started from, on what it made of it, and
            on the merged model; more is better.
    """
    verdicts = []
    if gate.min_gain is not None:
        gained = merged - before
        verdicts.append(Verdict(stage, "min_gain", gate.min_gain, gained, gained >= gate.min_gain - ROUNDING))
    if gate.max_drop is not None:
        dropped = max(before, after) - merged
        verdicts.append(
            Verdict(stage, "max_drop", gate.max_drop, dropped, dropped <= gate.max_drop + ROUNDING)
        )
    return verdicts


def judge_all(
    gates: Mapping[str, GateSettings],
    stages: Mapping[str, Mapping[str, Any]],
    merged: Mapping[str, Mapping[str, Any]],
) -> list[Verdict]:
    """Hold all stages against the gates of a recipe.

    Args:
        gates: limits by stage name; `*` is for all others.
        stages: each stage's evaluation, with `before` and `after`.
        merged: the merged model's measurement for each stage.
    """
    verdicts = []
    for name, evaluation in stages.items():
        gate = gates.get(name, gates.get("*"))
        if gate is not None:
            values = (
                _goodness(evaluation["before"]),
                _goodness(evaluation["after"]),
                _goodness(merged[name]),
            )
            verdicts += judge(name, gate, *values)
    return verdicts


def judge_streams(stage: str, gate: GateSettings | None, measured: Mapping[str, Any]) -> list[Verdict]:
    """Hold what `streaming` measured against its limits; that streamed answers are equal is always asked.

    Args:
        stage: the name of the entry in the recipe.
        gate: its limits, if there are any.
        measured: with `comparisons` and `loads`, as `manus.serving.streaming.measuring` returns them.
    """
    answers = sum(one["answers"] for one in measured["comparisons"])
    equal = sum(one["equal"] for one in measured["comparisons"])
    verdicts = [Verdict(stage, EQUALITY, answers, equal, bool(answers) and equal == answers)]
    for limit, allowed in (gate.limits if gate is not None else {}).items():
        for load in measured["loads"]:
            value = _timed(limit, load)
            is_passed = value is not None and (
                value >= allowed if limit.startswith("min_") else value <= allowed
            )
            verdicts.append(Verdict(stage, limit, allowed, value, is_passed, load["streams"]))
    return verdicts


def of_streams(count: int) -> str:
    """Return a number of streams in words."""
    return "1 stream" if count == 1 else f"{count} streams"


def _timed(limit: str, load: Mapping[str, Any]) -> float | None:
    """Return what a limit is about, as one load measured it."""
    values: dict[str, float | None] = {
        "max_first_token_seconds": load["first_token"]["slowest"],
        "max_gap_p95_seconds": load["gap"]["p95"],
        "min_tokens_per_second": load["tokens_per_second"],
    }
    return values[limit]


def _goodness(measured: Mapping[str, Any]) -> float:
    """Return the value so that more is better: what is measured in nats counts as minus those per token."""
    from manus.evaluation.intervals import mean_nats

    return -mean_nats(measured) if "weights" in measured else float(measured["value"])
