"""Renders what a plan built into one HTML file that needs nothing else: no network, no scripts.

Reads the store through the other `report_*` modules; decides only how values are written. Whatever models and
data say is escaped by the template engine.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from manus.data.forms.columns import counted_words
from manus.evaluation.gates import EQUALITY, Verdict, of_streams
from manus.evaluation.numbers import difference, percent
from manus.guards.progress import duration
from manus.plan.artifacts import Plan
from manus.report.finished import Finished, finished
from manus.report.graph import layout
from manus.report.reward_models import reward_model_views
from manus.report.samples import shortened
from manus.report.stages import stage_views
from manus.report.streaming import per_second, short_time, streaming_views
from manus.report.summary import SummaryRow, headline, summary_rows, unpublished
from manus.report.terminal import print_summary
from manus.report.values import flat, settings, shown
from manus.store.manifest import Manifest

__all__ = ["SummaryRow", "print_summary", "render", "summary_rows"]

OPEN_STAGES = 3  # with more of them, each is folded away until asked for

NOT_IN_HTML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Ruling:
    """A gate's verdict in words."""

    stage: str
    rule: str
    measured: str
    is_passed: bool


def render(plan: Plan, verdicts: Sequence[Verdict]) -> str:
    """Return the report of a plan whose artifacts are all in the store.

    Args:
        plan: what was built.
        verdicts: what the gates said; a failing one means that merged/ was not published.

    Raises:
        ManusError: an artifact is missing or damaged.
    """
    jobs = finished(plan)
    stages = stage_views(plan, jobs)
    rows = [stage.row for stage in stages]
    capabilities = list(dict.fromkeys(entry.capability for entry in plan.recipe.entries))
    manifests = {name: job.manifest for name, job in jobs.items()}
    detected = jobs["detect/detected"].read("detected.json")
    context = {
        "plan": plan,
        "capabilities": capabilities,
        "title": f"{plan.base.title} + {', '.join(capabilities)}",
        "headline": headline(rows),
        "unpublished": unpublished(verdicts),
        "rulings": rulings(verdicts, rows),
        "stages": stages,
        "reward_models": reward_model_views(plan, jobs),
        "streaming": streaming_views(plan, jobs),
        "are_open": len(stages) <= OPEN_STAGES,
        "graph": layout(plan),
        "jobs": jobs,
        "slowest": max(manifest.seconds for manifest in manifests.values()) or 1,
        "total_seconds": sum(manifest.seconds for manifest in manifests.values()),
        "finished": max(manifest.ended for manifest in manifests.values()),
        "merge": merge_view(plan, jobs["merge/merged"]),
        "detected": detected,
        "modalities": [name for name, is_there in detected["modalities"].items() if is_there],
        "versions": gathered(manifests, "versions"),
        "hardware": gathered(manifests, "hardware"),
    }
    return _environment().get_template("report.html.j2").render(context)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("manus.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": spell_seconds,
        "percent": percent,
        "size": size,
        "shown": shown,
        "shortened": shortened,
        "counted": counted_words,
        "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
        "inline_svg": inline_svg,
        "told": pairs_told,
    }
    return environment


def printable(value: Any) -> Any:
    """Return a text without the characters that have no place in HTML, whoever wrote it."""
    return NOT_IN_HTML.sub("\ufffd", value) if type(value) is str else value


def spell_seconds(seconds: float) -> str:
    """Return a duration; below ten seconds with a decimal, since the bar beside it is not much help there."""
    return f"{seconds:.1f}s" if seconds < 10 else duration(seconds)


def size(count: int) -> str:
    """Return bytes as people read them: 1.2 kB, 540 MB."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}" if value < 100 else f"{value:.0f} {units[0]}"


def pairs_told(made: Mapping[str, Any]) -> str:
    """Return in words how a stage's pairs were made of the model's own answers."""
    none = {"all_right": "always right", "all_wrong": "always wrong", "unanswered": "without a whole answer"}
    parts = [f"{shown(made[name])} {words}" for name, words in none.items() if made.get(name)]
    if made["too_long"]:
        parts.append(f"{shown(made['too_long'])} pairs too long")
    aside = f"; {', '.join(parts)}" if parts else ""
    return (
        f"{shown(made['prompts'])} prompts gave {shown(made['pairs'])} pairs{aside}. "
        f"Of the answers {percent(made['right_share'])} were right."
    )


def inline_svg(svg: str, name: str) -> Markup:
    """Return a drawing of ours for use inside a page, its ids made unique by `name`."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    return Markup(re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg))


def rulings(verdicts: Iterable[Verdict], rows: Iterable[SummaryRow]) -> list[Ruling]:
    """Return the gates' verdicts in words, each in the unit of its stage's metric."""
    is_share = {row.stage: row.is_share for row in rows}
    return [
        _ruling(verdict, is_share[verdict.stage])
        if verdict.stage in is_share
        else _ruling_of_streams(verdict)
        for verdict in verdicts
    ]


def _ruling(verdict: Verdict, is_share: bool) -> Ruling:
    assert verdict.measured is not None, "probes always measure something"
    allowed = difference(verdict.allowed, is_share)
    if verdict.limit == "min_gain":
        rule = f"the merged model is better than the stage's start by at least {allowed}"
        measured = difference(verdict.measured, is_share, signed=True)
    else:
        rule = f"the merged model lies below the better of before and after by at most {allowed}"
        side = " below" if verdict.measured > 0 else " above" if verdict.measured < 0 else ""
        measured = difference(abs(verdict.measured), is_share) + side
    return Ruling(verdict.stage, rule, measured, verdict.is_passed)


def _ruling_of_streams(verdict: Verdict) -> Ruling:
    if verdict.limit == EQUALITY:
        rule = "every streamed answer is the one that comes at once (always asked)"
        measured = f"{verdict.measured:g} of {verdict.allowed:g}"
    elif verdict.limit == "min_tokens_per_second":
        rule = (
            f"with {of_streams(verdict.streams or 1)}, at least {per_second(verdict.allowed)} tokens come in "
            "a second"
        )
        measured = per_second(verdict.measured)
    else:
        what = "the slowest first token comes" if "first" in verdict.limit else "95 % of the gaps lie"
        rule = f"with {of_streams(verdict.streams or 1)}, {what} within {short_time(verdict.allowed)}"
        measured = short_time(verdict.measured)
    return Ruling(verdict.stage, rule, measured, verdict.is_passed)


def merge_view(plan: Plan, merge: Finished) -> dict[str, Any]:
    """Return the merge's settings and metrics, and in a sentence how well it agrees with its parts."""
    metrics = merge.manifest.metrics
    parity = metrics["parity"]
    sentence = (
        f"Read back from disk, the merged model's logits differ from those of base plus stages by at most "
        f"{parity['max_difference'] / parity['scale']:.1e} of their scale, where {parity['tolerance']:.1e} "
        f"is allowed; at {percent(parity['top1_agreement'])} of {parity['positions']} positions in "
        f"{parity['prompts']} prompts both rank the same token first."
    )
    return {"settings": settings("merge", plan.recipe.merge), "metrics": flat(metrics), "parity": sentence}


def gathered(manifests: Mapping[str, Manifest], field: str) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Return each name in a field of the manifests with its values, and which jobs had each if unlike."""
    found: dict[str, dict[str, list[str]]] = {}
    for job, manifest in manifests.items():
        for name, value in getattr(manifest, field).items():
            found.setdefault(name, {}).setdefault(shown(value), []).append(job)
    return [(name, list(values.items())) for name, values in found.items()]
