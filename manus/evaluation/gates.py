"""Decides whether a merged model may be shown. Pure: it sees numbers, never models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manus.evaluation.gate_settings import GateSettings

ROUNDING = 1e-9  # 0.5625 - 0.5125 is a little more than 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one limit said of one stage."""

    stage: str
    limit: str
    allowed: float
    measured: float
    is_passed: bool

    def __str__(self) -> str:
        sign = ">=" if self.limit == "min_gain" else "<="
        word = "passed" if self.is_passed else "FAILED"
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


def _goodness(measured: Mapping[str, Any]) -> float:
    """Return the value so that more is better: what is measured in nats counts as minus those per token."""
    from manus.evaluation.intervals import mean_nats

    return -mean_nats(measured) if "weights" in measured else float(measured["value"])
