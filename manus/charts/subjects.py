"""What preference and reinforcement methods log, by subject: names, axes, units.

Knows the names under which metrics are logged (TRL's, and ours beside them); knows nothing of drawing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COMPONENT = re.compile(r"rewards/(.+)/mean", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Axis:
    """A vertical axis; what is `is_whole` goes from 0 to 100 %."""

    label: str
    is_share: bool = False
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A logged metric and what it is called in the legend; `is_right` if the right axis measures it."""

    key: str
    label: str
    is_right: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A subject: its metrics, what the axes measure, and perhaps two metrics that enclose the first line."""

    slug: str
    title: str
    left: Axis
    lines: tuple[Line, ...]
    right: Axis | None = None
    band: tuple[str, str] | None = None


CHARTS = (
    Chart("rewards", "Reward", Axis("reward, mean of a step"), (Line("reward", "total"),)),
    Chart(
        "reward_spread",
        "Spread of the rewards",
        Axis("standard deviation"),
        (
            Line("reward_std", "reward"),
            Line("frac_reward_zero_std", "groups without a difference", is_right=True),
        ),
        right=Axis("share of groups", is_share=True, is_whole=True),
    ),
    Chart(
        "margins",
        "Reward of chosen and rejected answers",
        Axis("reward, mean of a step"),
        (
            Line("rewards/chosen", "chosen"),
            Line("rewards/rejected", "rejected"),
            Line("rewards/margins", "margin"),
        ),
    ),
    Chart(
        "accuracy",
        "Pairs in which the chosen answer is rewarded more",
        Axis("share of pairs", is_share=True, is_whole=True),
        (Line("rewards/accuracies", "chosen above rejected"),),
    ),
    Chart(
        "logps",
        "Log probability of chosen and rejected answers",
        Axis("log probability, nats"),
        (Line("logps/chosen", "chosen"), Line("logps/rejected", "rejected")),
    ),
    Chart(
        "odds",
        "Parts of the loss",
        Axis("nats"),
        (Line("log_odds_ratio", "log odds ratio"), Line("nll_loss", "negative log likelihood")),
    ),
    Chart(
        "divergence",
        "Divergence from the teacher",
        Axis("nats per token"),
        (Line("divergence", "divergence"),),
    ),
    Chart(
        "on_policy",
        "Samples written by the student",
        Axis("share of samples", is_share=True, is_whole=True),
        (Line("on_policy_share", "on policy"),),
    ),
    Chart(
        "kl",
        "Distance from the reference model",
        Axis("KL, nats per token"),
        (Line("kl", "KL"), Line("kl_coefficient", "coefficient", is_right=True)),
        right=Axis("KL coefficient"),
    ),
    Chart(
        "completion_length",
        "Length of completions",
        Axis("tokens"),
        (
            Line("completions/mean_length", "mean"),
            Line("completions/clipped_ratio", "cut off at the limit", is_right=True),
        ),
        right=Axis("share cut off", is_share=True, is_whole=True),
        band=("completions/min_length", "completions/max_length"),
    ),
    Chart(
        "clip_fraction",
        "Updates that were clipped",
        Axis("share of tokens", is_share=True),
        (
            Line("clip_ratio/region_mean", "policy ratio"),
            Line("clip_ratio/policy", "policy"),
            Line("clip_ratio/value", "value"),
        ),
    ),
    Chart(
        "entropy",
        "Entropy of the model's choices",
        Axis("entropy, nats per token"),
        (Line("entropy", "entropy"),),
    ),
    Chart("policy_loss", "Loss of the policy", Axis("loss"), (Line("policy_loss", "policy loss"),)),
    Chart(
        "value",
        "Value estimates",
        Axis("value loss"),
        (Line("value_loss", "loss"), Line("explained_variance", "explained variance", is_right=True)),
        right=Axis("explained variance"),
    ),
)
SLUGS = tuple(chart.slug for chart in CHARTS)


def components(entries: Sequence[Mapping[str, Any]]) -> tuple[Line, ...]:
    """Return a line for each component of the reward, in the order in which they are first logged."""
    names = {match[1]: key for entry in entries for key in entry if (match := COMPONENT.fullmatch(key))}
    return tuple(Line(key, name) for name, key in names.items())
