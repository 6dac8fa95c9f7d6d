"""Says what got better on held-out data, and by how much: as rows, as sentences, as a table on a terminal.

Knows the evaluations in the store; knows nothing of HTML.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from manus.evaluation.gates import Verdict
from manus.evaluation.numbers import difference, percent, plain
from manus.plan.artifacts import Plan
from manus.scorers.metrics import is_share


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better a measurement is than another, more being better, with its 95 % interval."""

    value: float
    low: float
    high: float
    is_share: bool

    @property
    def verdict(self) -> Literal["better", "worse", "not shown"]:
        """What the interval allows to say."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "not shown"

    @property
    def text(self) -> str:
        """The gain with its unit: `+46 points`, or `+0.31 nats per token` for perplexities."""
        return difference(self.value, self.is_share, signed=True)

    @property
    def number_and_unit(self) -> tuple[str, str]:
        """The two parts of `text`."""
        number, _, unit = self.text.partition(" ")
        return number, unit

    @property
    def interval(self) -> str:
        """The ends of the interval: `33 … 58`."""
        return " … ".join(
            plain(100 * end) if self.is_share else plain(end, 2) for end in (self.low, self.high)
        )

    @property
    def cells(self) -> tuple[str, str]:
        """The gain and its interval for a column, where points stand in line."""
        scale, digits, unit = (100, 1, "pt") if self.is_share else (1, 2, "nats")
        low, high = (plain(scale * end, digits, is_column=True) for end in (self.low, self.high))
        return f"{plain(scale * self.value, digits, signed=True, is_column=True)} {unit}", f"{low} … {high}"


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """What one stage's held-out samples say.

    `before` is the model that the stage started from, `after` what the stage made of it, `merged` the final
    model. `gain` compares merged with before, which is what a user of the merged model gets; `stage_gain`
    after with before.
    """

    stage: str
    capability: str
    method: str
    metric: str
    higher_is_better: bool
    before: float
    after: float
    merged: float
    gain: Gain
    stage_gain: Gain
    samples: int

    @property
    def is_share(self) -> bool:
        """Whether the metric is a share, shown in percent."""
        return is_share(self.metric)

    @property
    def measured(self) -> str:
        """The name of the metric as people read it."""
        return self.metric.replace("_", " ")

    @property
    def verdict(self) -> Literal["better", "worse", "not shown"]:
        """What the held-out samples allow to say of the merged model."""
        return self.gain.verdict

    @property
    def sentence(self) -> str:
        """The result in one line of plain words."""
        name = self.stage if self.is_share else f"{self.stage}: {self.measured}"
        joint = ": " if self.is_share else " "
        return (
            f"{name}{joint}{self.shown(self.before)} → {self.shown(self.merged)} "
            f"({self.gain.text}, 95 % interval {self.gain.interval}, n = {self.samples})"
        )

    def shown(self, value: float, is_column: bool = False) -> str:
        """Return a value of the metric as people read it."""
        return percent(value, is_column) if self.is_share else plain(value, 2)


def summary_rows(plan: Plan) -> list[SummaryRow]:
    """Return one row for each stage of a plan whose evaluations are in the store.

    Raises:
        ManusError: an evaluation is missing or damaged.
    """
    merged = evaluation_of(plan, "merged")["stages"]
    return [summary_row(evaluation_of(plan, stage.name), merged[stage.name]) for stage in plan.recipe.stages]


def evaluation_of(plan: Plan, name: str) -> dict[str, Any]:
    """Return the stored evaluation of a stage, or of `merged`.

    Raises:
        ManusError: it is missing or damaged.
    """
    key = plan.artifacts[f"evaluate/{name}"].key
    plan.store.manifest(key)
    found: dict[str, Any] = json.loads(
        (plan.store.folder(key) / "evaluation.json").read_text(encoding="utf-8")
    )
    return found


def summary_row(evaluation: dict[str, Any], merged: dict[str, Any]) -> SummaryRow:
    """Return the row of one stage from its evaluation and from its part of the merged model's."""
    counts_right = is_share(evaluation["metric"])
    return SummaryRow(
        stage=evaluation["stage"],
        capability=evaluation["capability"],
        method=evaluation["method"],
        metric=evaluation["metric"],
        higher_is_better=evaluation["higher_is_better"],
        before=evaluation["before"]["value"],
        after=evaluation["after"]["value"],
        merged=merged["merged"]["value"],
        gain=Gain(**merged["gain"], is_share=counts_right),
        stage_gain=Gain(**evaluation["gain"], is_share=counts_right),
        samples=evaluation["samples"],
    )


def headline(rows: Sequence[SummaryRow]) -> str:
    """Return how many stages got better, in one sentence."""
    better = [row for row in rows if row.verdict == "better"]
    worse = [row.stage for row in rows if row.verdict == "worse"]
    if len(rows) == 1:
        said = {"better": "got better", "worse": "got worse", "not shown": "shows no clear change"}
        return f"{rows[0].stage} {said[rows[0].verdict]} on held-out data."
    tail = f"; {', '.join(worse)} got worse" if worse else ""
    if len(better) == len(rows):
        return f"{'Both' if len(rows) == 2 else f'All {len(rows)}'} stages got better on held-out data."
    return f"{len(better) or 'None'} of {len(rows)} stages got better on held-out data{tail}."


def unpublished(verdicts: Sequence[Verdict]) -> str:
    """Return why merged/ is not shown, or an empty text when every gate passed."""
    failed = sum(not verdict.is_passed for verdict in verdicts)
    if not failed:
        return ""
    gates = "gate" if len(verdicts) == 1 else "gates"
    return f"merged/ was not published: {failed} of {len(verdicts)} {gates} failed."
