"""Reads from the store what a report shows of each stage and each job. Knows nothing of HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manus.charts.drawing import LENGTHS_SVG
from manus.charts.subjects import SLUGS
from manus.data.examination import Reason, reasons
from manus.files import read_jsonl
from manus.plan.artifacts import Plan
from manus.recipe.recipe import CAPABILITIES, RewardModel, Stage
from manus.report.completions import Prompted, choose_completions
from manus.report.cut_off import CutOff, cut_off
from manus.report.finished import Finished
from manus.report.samples import MODELS, Chosen, choose
from manus.report.summary import SummaryRow, summary_row
from manus.report.thumbnails import Thumbnail, thumbnails
from manus.report.values import Setting, settings, shown

Comparison = tuple[str, int | None, list[str]]
SHOWN_DIGESTS = 3
COMPLETIONS, REWARD_FAILURES = (
    "completions.jsonl",
    "reward_failures.json",
)  # only methods with rewards leave them
QUANTILES = {"0": "shortest", "50": "half up to", "90": "90 % up to", "99": "99 % up to", "100": "longest"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One measurement on a common scale; places are shares of the scale."""

    model: str
    text: str
    value: float
    low: float
    high: float
    interval: str


@dataclass(frozen=True, slots=True)
class StageView:
    """All that a report shows of one stage."""

    row: SummaryRow
    bars: list[Bar]
    settings: list[Setting]
    sources: list[str]
    data: Finished
    train: Finished
    statistics: dict[str, Any]
    pairs_made: dict[str, Any] | None
    quarantine: list[Reason]
    loss_svg: str
    lengths_svg: str
    charts: list[tuple[str, str]]
    completions: list[Prompted]
    reward_failures: list[dict[str, Any]]
    details: dict[str, list[Comparison]]
    samples: Chosen
    thumbnails: dict[int, Thumbnail]
    cut_off: CutOff | None

    @property
    def learned_from(self) -> str:
        """What it was trained on, and how much of it."""
        made = self.pairs_made
        return (
            f"{shown(made['pairs'])} pairs" if made else f"{shown(self.statistics['train_samples'])} samples"
        )

    @property
    def quantiles(self) -> list[tuple[str, int]]:
        """Tokens per sample: the name of the quantile and its value."""
        found = self.statistics.get("tokens_per_sample", {})
        return [(QUANTILES.get(name, f"{name} %"), value) for name, value in found.items()]


def stage_views(plan: Plan, jobs: Mapping[str, Finished]) -> list[StageView]:
    """Return what is shown of each stage, in the recipe's order."""
    merged = jobs["evaluate/merged"].read("evaluation.json")["stages"]
    return [_stage_view(stage, jobs, merged[stage.name]) for stage in plan.recipe.stages]


def _stage_view(stage: Stage, jobs: Mapping[str, Finished], merged: dict[str, Any]) -> StageView:
    data, train = jobs[f"data/{stage.name}"], jobs[f"train/{stage.name}"]
    pairs = jobs.get(f"pairs/{stage.name}")
    evaluation = jobs[f"evaluate/{stage.name}"].read("evaluation.json")
    row = summary_row(evaluation, merged)
    measured = {"before": evaluation["before"], "after": evaluation["after"], "merged": merged["merged"]}
    samples = choose(evaluation["asked"], measured, row.is_share)
    return StageView(
        row=row,
        bars=bars(row, measured),
        settings=settings_of(stage),
        sources=sources_of(stage, data),
        data=data,
        train=train,
        statistics=data.read("statistics.json"),
        pairs_made=pairs.read("statistics.json") if pairs else None,
        quarantine=reasons(read_jsonl(data.folder / "quarantine.jsonl")),
        loss_svg=(train.folder / "loss.svg").read_text(encoding="utf-8"),
        lengths_svg=lengths.read_text(encoding="utf-8")
        if (lengths := data.folder / LENGTHS_SVG).exists()
        else "",
        charts=charts_of(train),
        completions=choose_completions(
            list(read_jsonl(told)) if (told := train.folder / COMPLETIONS).exists() else []
        ),
        reward_failures=train.read(REWARD_FAILURES) if (train.folder / REWARD_FAILURES).exists() else [],
        details={"part": compared(measured, "parts"), "level": compared(measured, "levels")},
        samples=samples,
        thumbnails=thumbnails(data.folder, (n for s in (*samples.shown, *samples.more) for n in s.media)),
        cut_off=cut_off(evaluation.get("ablations", {}), CAPABILITIES[stage.capability].ABLATIONS),
    )


def charts_of(train: Finished) -> list[tuple[str, str]]:
    """Return the drawings of what a stage logged beside the loss: slug and SVG, those that there are."""
    paths = [(slug, train.folder / "charts" / f"{slug}.svg") for slug in SLUGS]
    return [(slug, path.read_text(encoding="utf-8")) for slug, path in paths if path.exists()]


def bars(row: SummaryRow, measured: Mapping[str, Mapping[str, Any]]) -> list[Bar]:
    """Return three measurements on one scale: 0 to 1 for shares, else 0 to an interval's highest end."""
    scale = 1.0 if row.is_share else max(1e-9, *(measured[model]["high"] for model in MODELS))
    found = []
    for model in MODELS:
        value, low, high = (measured[model][end] for end in ("value", "low", "high"))
        interval = f"{row.shown(low)} … {row.shown(high)}"
        found.append(Bar(model, row.shown(value), value / scale, low / scale, high / scale, interval))
    return found


def settings_of(stage: Stage) -> list[Setting]:
    """Return every setting of a stage; sources are told apart, because their paths are nobody's business."""
    groups = {"data": stage.data, "training": stage.training, "probe": stage.probe}
    return [
        setting
        for name, group in groups.items()
        for setting in settings(name, group)
        if setting.name != "data"
    ]


def sources_of(learned: Stage | RewardModel, data: Finished) -> list[str]:
    """Return the names of what was read, each with what identifies it."""
    pairs = zip(data.artifact.made_from["data"], learned.sources, strict=True)
    return [_source(identity, source.title) for identity, source in pairs]


def _source(identity: Mapping[str, Any], title: str) -> str:
    """Return a source's name without its folder, with what identifies its content."""
    version = f"version {identity['version']}" if "version" in identity else identity.get("commit", "")
    marks = identity.get("sha256") or [version]
    marks = marks if len(marks) <= SHOWN_DIGESTS else [f"{len(marks)} files"]
    name = title if "hub" in identity or "generator" in identity else Path(title).name
    weight = f" × {identity['weight']:g}" if identity.get("weight", 1) != 1 else ""
    return f"{name}{weight} ({', '.join(mark[:12] for mark in marks)})"


def compared(measured: Mapping[str, Mapping[str, Any]], kind: str) -> list[Comparison]:
    """Return a row for each part or level: its name, its samples if counted, and the three shares."""
    found = []
    for name in dict.fromkeys(name for model in MODELS for name in measured[model][kind]):
        values = [measured[model][kind].get(name) for model in MODELS]
        samples = next((value["samples"] for value in values if isinstance(value, Mapping)), None)
        found.append((name, samples, [_whole_percent(value) for value in values]))
    return found


def _whole_percent(value: Any) -> str:
    share = value["value"] if isinstance(value, Mapping) else value
    return "–" if share is None else f"{100 * share:.0f} %"
