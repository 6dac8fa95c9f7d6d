"""Draws what preference and reinforcement methods log, one SVG a subject, each readable alone.

Knows how lines are drawn; what is drawn in which chart stands in metric_subjects. Knows nothing of files or
reports.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from manus.charts.drawing import (
    ACCENT,
    FONT_SIZE,
    INK,
    SIZE_INCHES,
    dress,
    is_number,
    reach_of,
    smoothed,
    svg_of,
)
from manus.charts.subjects import CHARTS, Axis, Chart, Line, components

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Entries = Sequence[Mapping[str, Any]]
Points = tuple[list[float], list[float]]  # steps and values

# Each reads on white and on near-black; as all are about as light, dashes tell them apart too.
COLOURS = (ACCENT, "#d55e00", "#2f7fd1", "#b4559a", "#a97900")
DASHES = ("solid", (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (7, 1.6, 1.4, 1.6)))
MOST_POINTS = 300  # of a line; more make the file large and nothing clearer
MOST_RAW_LINES = 3  # with more of them only smoothed lines are drawn
LONGEST_LABEL = 28
ROW_INCHES = 0.19  # of the legend


def metric_charts(entries: Entries) -> dict[str, str]:
    """Return an SVG for each subject of which at least two values were logged, by slug, in reading order.

    Args:
        entries: as logged: `step` and any metrics; what is None or no finite number is left out.

    The same entries give the same bytes. Background and font are the reader's.
    """
    drawn: dict[str, str] = {}
    for chart in CHARTS:
        lines = chart.lines + (components(entries) if chart.slug == "rewards" else ())
        found = [(line, points) for line in lines if len((points := points_of(entries, line.key))[0]) > 1]
        if found:
            drawn[chart.slug] = _draw(chart, found, entries)
    return drawn


def points_of(entries: Entries, key: str) -> Points:
    """Return the steps and values of a metric where there are any."""
    found = [entry for entry in entries if is_number(entry.get("step")) and is_number(entry.get(key))]
    return [entry["step"] for entry in found], [entry[key] for entry in found]


def mean(values: Sequence[float]) -> float:
    """Return the mean of at least one value."""
    return sum(values) / len(values)


def thinned(points: Points, summary: Callable[[Sequence[float]], float] = mean) -> Points:
    """Return at most MOST_POINTS points, each the mean step and the summary of neighbours."""
    size = math.ceil(len(points[0]) / MOST_POINTS)
    if size < 2:
        return points
    starts = range(0, len(points[0]), size)
    steps, values = ([column[start : start + size] for start in starts] for column in points)
    return [mean(part) for part in steps], [summary(part) for part in values]


def labelled(name: str) -> str:
    """Return a name of bearable length, without characters that XML or a legend cannot show."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    return shown if len(shown) <= LONGEST_LABEL else f"{shown[: LONGEST_LABEL - 1]}…"


def _draw(chart: Chart, found: Sequence[tuple[Line, Points]], entries: Entries) -> str:
    from matplotlib.figure import Figure

    left, right = chart.left, chart.right
    if all(line.is_right for line, _ in found):
        assert right is not None, f"{chart.slug} has no right axis"
        found, left = [(Line(line.key, line.label), points) for line, points in found], right
    figure = Figure(SIZE_INCHES, layout="constrained")
    figure.suptitle(chart.title, x=0.01, ha="left", color=INK, fontsize=FONT_SIZE + 1, fontweight="bold")
    axes = figure.add_subplot()
    sides = {False: axes}
    if any(line.is_right for line, _ in found):
        sides[True] = axes.twinx()
    handles: dict[Artist, str] = {}
    for index, (line, points) in enumerate(found):
        is_raw = index == 0 or len(found) <= MOST_RAW_LINES
        name = f"{labelled(line.label)} (right axis)" if line.is_right else labelled(line.label)
        handles[_draw_line(sides[line.is_right], points, index, is_raw)] = name
    handles |= _draw_band(axes, chart, entries)
    for is_right, side in sides.items():
        _dress(side, right if is_right and right else left)
        if is_right:  # the left one has drawn grid and ground already
            side.grid(visible=False)
            side.spines.bottom.set_visible(False)
    steps = [step for _, points in found for step in points[0]]
    axes.set_xlim(min(steps), max(steps))
    if len(handles) > 1:
        _draw_legend(figure, axes, handles)
    return svg_of(figure, _title(chart, found))


def _draw_line(axes: Axes, points: Points, index: int, is_raw: bool) -> Artist:
    colour, dashes = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
    steps, values = thinned(points)
    if is_raw:
        axes.plot(steps, values, color=colour, alpha=0.3, linewidth=0.8)
    means = smoothed(values, reach_of(len(values)))
    (line,) = axes.plot(steps, means, color=colour, linewidth=2 if index == 0 else 1.6, linestyle=dashes)
    return line


def _draw_band(axes: Axes, chart: Chart, entries: Entries) -> dict[Artist, str]:
    if chart.band is None:
        return {}
    lowest, highest = chart.band
    both = [entry for entry in entries if is_number(entry.get(lowest)) and is_number(entry.get(highest))]
    if len(both) < 2:
        return {}
    steps, lows = thinned(points_of(both, lowest), min)
    _, highs = thinned(points_of(both, highest), max)
    return {
        axes.fill_between(steps, lows, highs, color=ACCENT, alpha=0.16, linewidth=0): "shortest to longest"
    }


def _dress(side: Axes, axis: Axis) -> None:
    from matplotlib.ticker import FuncFormatter

    side.margins(y=0.08)
    dress(side, axis.label)
    if axis.is_share:
        side.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
        side.set_ylim(bottom=min(0, side.get_ylim()[1]))
    if axis.is_whole:
        side.set_ylim(-0.03, 1.03)
        side.set_yticks([0, 0.25, 0.5, 0.75, 1])


def _draw_legend(figure: Figure, axes: Axes, handles: Mapping[Artist, str]) -> None:
    """Draw the legend between title and curves; names are set after it, as matplotlib reads marks in them."""
    columns = max(1, min(4, len(handles), int(58 / (max(map(len, handles.values())) + 6))))
    legend = axes.legend(
        list(handles),
        [f"line {index}" for index, _ in zip(count(), handles, strict=False)],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        fontsize=FONT_SIZE - 0.5,
        borderaxespad=0.2,
        borderpad=0,
        handlelength=2.6,
        columnspacing=1.4,
        labelspacing=0.3,
    )
    for text, label in zip(legend.get_texts(), handles.values(), strict=True):
        text.set(text=label, parse_math=False, color=INK)
    figure.set_figheight(SIZE_INCHES[1] + ROW_INCHES * math.ceil(len(handles) / columns))


def _title(chart: Chart, found: Sequence[tuple[Line, Points]]) -> str:
    said = ", ".join(f"{labelled(line.label)} from {p[1][0]:.3g} to {p[1][-1]:.3g}" for line, p in found)
    return f"{chart.title}: {said} over {max(p[0][-1] for _, p in found)} steps"
