"""Reads from the store what a report shows of streams: whether they are what comes at once, and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manus.evaluation.gates import of_streams
from manus.plan.artifacts import Plan
from manus.report.finished import Finished, finished
from manus.report.values import shown

FIXED = "fixed questions"  # as a measurement calls what no stage holds out
WAYS = {"greedy": "the likeliest token", "drawn": "drawn tokens"}


@dataclass(frozen=True, slots=True)
class Times:
    """One row of the table: a number of streams side by side, and what was measured, in words."""

    streams: str
    first_token: str
    slowest_first_token: str
    tokens_per_second: str
    gap_p50: str
    gap_p95: str
    answers: str


@dataclass(frozen=True, slots=True)
class StreamingView:
    """All that a report shows of one entry `streaming`."""

    name: str
    is_equal: bool
    equal: int
    answers: int
    comparisons: list[dict[str, Any]]
    times: list[Times]
    asked: str
    where: str
    drawing: str

    @property
    def finding(self) -> str:
        """Whether streams are what they must be, in plain words."""
        if self.is_equal:
            return "every streamed answer is the one that comes at once"
        return (
            f"{self.equal} of {self.answers} streamed answers are the one that comes at once, the others are "
            "not"
        )

    @property
    def sentence(self) -> str:
        """The same with the name, for where others stand beside it."""
        return f"{self.name}: {self.finding}"

    @property
    def times_in_words(self) -> list[str]:
        """The times, a line for each number of streams."""
        return [
            f"{row.streams}: first token after {row.first_token}, {row.tokens_per_second} tokens per second, "
            f"gaps p50 {row.gap_p50}, p95 {row.gap_p95}"
            for row in self.times
        ]


def streaming_views(plan: Plan, jobs: Mapping[str, Finished] | None = None) -> list[StreamingView]:
    """Return what is shown of each entry that tries the merged model's streams, in the recipe's order.

    Raises:
        ManusError: a measurement is missing or damaged.
    """
    if not plan.recipe.features:
        return []
    jobs = finished(plan) if jobs is None else jobs
    return [_view(jobs[f"feature/{feature.name}"]) for feature in plan.recipe.features]


def _view(job: Finished) -> StreamingView:
    found = job.read("feature.json")
    comparisons = [{**one, "drawn": WAYS[one["drawn"]]} for one in found["comparisons"]]
    return StreamingView(
        name=found["stage"],
        is_equal=found["is_equal"],
        equal=sum(one["equal"] for one in comparisons),
        answers=sum(one["answers"] for one in comparisons),
        comparisons=comparisons,
        times=[_times(load) for load in found["loads"]],
        asked=", ".join(
            f"{count} {name}" if name == FIXED else f"{count} held out by {name}"
            for name, count in found["asked"].items()
        ),
        where=f"{_machine(found['device'], job.manifest.hardware)}, {found['dtype']}",
        drawing=(job.folder / "arrivals.svg").read_text(encoding="utf-8"),
    )


def _times(load: Mapping[str, Any]) -> Times:
    return Times(
        streams=of_streams(load["streams"]),
        first_token=short_time(load["first_token"]["p50"]),
        slowest_first_token=short_time(load["first_token"]["slowest"]),
        tokens_per_second=per_second(load["tokens_per_second"]),
        gap_p50=short_time(load["gap"]["p50"]),
        gap_p95=short_time(load["gap"]["p95"]),
        answers=f"{shown(load['answers'])} answers, {shown(load['tokens'])} tokens",
    )


def _machine(device: str, hardware: Mapping[str, Any]) -> str:
    """Return what computed: the first GPU where one was used, else the processor and its cores."""
    if device == "cuda" and hardware.get("gpus"):
        return str(hardware["gpus"][0])
    return f"{hardware.get('cpu') or device}, {hardware.get('cores')} cores"


def short_time(seconds: float | None) -> str:
    """Return a time as people read it: 2.1 ms, 250 ms, 1.25 s."""
    if seconds is None:
        return "–"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"


def per_second(rate: float | None) -> str:
    """Return a rate as people read it: 4.4, 1,250."""
    return "–" if rate is None else f"{rate:.1f}" if rate < 100 else f"{rate:,.0f}"
