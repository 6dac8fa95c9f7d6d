"""The report says whether streams are what comes at once, and how soon they come, whatever the model said."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from manus.report.graph import NODE_WIDTH, layout
from manus.report.page import print_summary, render
from manus.report.streaming import per_second, short_time, streaming_views
from tests.unit.report.report_fixture import build
from tests.unit.report.test_page import HOSTILE, Page


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00213, "2.1 ms"), (0.25, "250 ms"), (1.25, "1.25 s"), (None, "–")]
)
def test_short_times(seconds: float | None, text: str) -> None:
    assert short_time(seconds) == text


@pytest.mark.parametrize(("rate", "text"), [(4.366, "4.4"), (1250.4, "1,250"), (None, "–")])
def test_rates(rate: float | None, text: str) -> None:
    assert per_second(rate) == text


def test_a_recipe_that_tries_no_streams_has_no_such_section(tmp_path: Path) -> None:
    plan, verdicts = build(tmp_path)
    assert streaming_views(plan) == []
    assert 'id="streaming"' not in render(plan, verdicts)


def test_equal_streams_and_their_times(tmp_path: Path) -> None:
    plan, verdicts = build(tmp_path, gate="{max_drop: 0.3}", streams="equal")
    (view,) = streaming_views(plan)
    assert view.sentence == "streaming: every streamed answer is the one that comes at once"
    assert [row.streams for row in view.times] == ["1 stream", "8 streams"]
    html = render(plan, verdicts)
    texts = " ".join(" ".join(Page(html).texts).split())
    assert (
        "16 of 16" in texts
        and "4 of 4" in texts
        and "Questions: 2 held out by cot, 2 held out by tools" in texts
    )
    for row in view.times:
        for cell in (row.first_token, row.tokens_per_second, row.gap_p50, row.gap_p95):
            assert cell in texts
    assert "with 1 stream, the slowest first token comes within 90.0 ms" in texts
    assert "When the pieces came" in texts and 'href="#streaming"' in html
    links = {attributes["href"] for tag, attributes in Page(html).tags if tag == "a"}
    ids = {attributes["id"] for _, attributes in Page(html).tags if "id" in attributes}
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= ids


def test_what_is_tried_is_drawn_on_the_merged_model_alone(tmp_path: Path) -> None:
    """Beside the merged model's evaluation, not on it: an arrow goes past that box."""
    plan, _ = build(tmp_path, gate="", streams="equal")
    graph = layout(plan)
    nodes = {node.id: node for node in graph.nodes}
    merge, tried, report = (nodes[name] for name in ("merge/merged", "feature/streaming", "report/report"))
    right = merge.x + NODE_WIDTH
    between = nodes["evaluate/merged"]
    for source, target in ((merge, tried), (between, report)):
        (path,) = (arrow for arrow in graph.arrows if arrow.startswith(f"M{right:g} {source.middle:g}C"))
        assert path.endswith(f" {right:g} {target.middle:g}")
        bow = float(path.split("C")[1].split()[0])
        assert right < bow <= graph.width
    downward = [arrow for arrow in graph.arrows if arrow.startswith(f"M{merge.x + NODE_WIDTH / 2:g} ")]
    assert len(downward) == 2, "merge to evaluation, feature to report"


def test_streams_that_differ_are_shown_side_by_side_and_harmless(tmp_path: Path) -> None:
    plan, verdicts = build(tmp_path, gate="{max_drop: 0.3}", streams="differ", hostile=HOSTILE)
    html = render(plan, verdicts)
    page = Page(html)
    texts = " ".join(" ".join(page.texts).split())
    assert "15 of 16 streamed answers are the one that comes at once, the others are not" in texts
    assert "merged/ was not published" in texts and "server, drawn tokens: another answer to" in texts
    assert not [tag for tag, _ in page.tags if tag == "script"]
    console = Console(file=io.StringIO(), width=100)
    print_summary(plan, verdicts, console)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "15 of 16 streamed answers" in told and "tokens per second" in told
    assert "FAILED: streaming: 15 of 16 streamed answers are those that come at once" in " ".join(
        told.split()
    )
