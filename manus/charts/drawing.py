"""Draws a training history and the lengths of samples as SVGs that stand alone, and how all drawings look.

Knows nothing of files, stages or reports.
"""

from __future__ import annotations

import io
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LENGTHS_SVG = "lengths.svg"  # among a stage's prepared data
SIZE_INCHES = (4.9, 2.6)
FONT_SIZE = 9.5
ACCENT = "#14908a"  # reads on white and on near-black
INK = "#010203"  # stands for currentColor, which matplotlib has no name for
SMOOTHED_SHARE = 0.03  # of the steps, on each side
# Where the file is shown alone, it takes a grey that suits the reader's background.
STYLE = """<style>
.manus-chart { color: #56606a; stroke-linejoin: round }
.manus-chart text { font-family: system-ui, sans-serif }
@media (prefers-color-scheme: dark) { .manus-chart { color: #a3adb7 } }
</style>"""


def loss_curve(history: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG of the loss over the steps, smoothed, with the learning rate as a faint line.

    Args:
        history: entries with `step`, `loss` and perhaps `learning_rate`, as Trainer logs them. The loss is in
            nats per token, unless rewards are logged too: then it is the method's own and has no unit.

    The same history gives the same bytes. Background and font are the reader's.
    """
    from matplotlib.figure import Figure

    points = [entry for entry in history if is_number(entry.get("loss"))]
    figure = Figure(SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    if points:
        _draw_rate(axes, points)
        _draw_loss(axes, points)
    else:
        axes.text(0.5, 0.5, "no losses were recorded", color=INK, ha="center", transform=axes.transAxes)
        axes.set_axis_off()
    return svg_of(figure, _title(points))


def length_histogram(edges: Sequence[int], samples: Sequence[int], max_length: int) -> str:
    """Return an SVG of how many samples are how long, with a line at the longest length allowed if near.

    Args:
        edges: in tokens; one more than there are bars.
        samples: of each bar.
        max_length: in tokens.
    """
    from matplotlib.figure import Figure

    figure = Figure(SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    widths = [end - begin for begin, end in itertools.pairwise(edges)]
    axes.bar(edges[:-1], samples, [0.9 * width for width in widths], align="edge", color=ACCENT)
    dress(axes, "samples", along="tokens")
    if edges[-1] >= max_length - max(widths):
        axes.axvline(max_length, color=INK, alpha=0.55, linewidth=1, dashes=(3, 3))
        axes.text(
            max_length,
            0.98,
            "max_length ",
            color=INK,
            ha="right",
            va="top",
            fontsize=FONT_SIZE,
            transform=axes.get_xaxis_transform(),
        )
    return svg_of(
        figure, f"Tokens per sample: {sum(samples):,} samples of {edges[0]:,} to {edges[-1]:,} tokens"
    )


def is_number(value: Any) -> bool:
    """Tell whether a logged value can be drawn."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def reach_of(count: int) -> int:
    """Return how many neighbours on each side smooth a line of so many points."""
    return max(2, round(SMOOTHED_SHARE * count))


def dress(axes: Axes, label: str, along: str = "step") -> None:
    """Give axes their look and labels: what is shown, and along what."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(along, color=INK, fontsize=FONT_SIZE)
    axes.set_ylabel(label, color=INK, fontsize=FONT_SIZE)
    axes.tick_params(colors=INK, labelsize=FONT_SIZE, length=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.8)
    axes.spines[:].set_visible(False)
    axes.spines.bottom.set(visible=True, color=INK, alpha=0.4)


def svg_of(figure: Figure, title: str) -> str:
    """Return a figure as an SVG that stands alone and that screen readers know by its title."""
    import matplotlib as mpl

    out = io.StringIO()
    # The only way to say how SVG is written; the settings are back as they were afterwards.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "manus"}):
        figure.savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Title": title}
        )
    return _standalone(out.getvalue())


def smoothed(values: Sequence[float], reach: int) -> list[float]:
    """Return the mean over each value and `reach` neighbours on both sides, fewer at the ends, for no lag."""
    sums = [0.0, *itertools.accumulate(values)]
    averages = []
    for index in range(len(values)):
        near = min(reach, index, len(values) - 1 - index)
        averages.append((sums[index + near + 1] - sums[index - near]) / (2 * near + 1))
    return averages


def _title(points: Sequence[Mapping[str, Any]]) -> str:
    if not points:
        return "Training loss: none recorded"
    first, last = points[0], points[-1]
    return f"Training loss from {first['loss']:.3f} to {last['loss']:.3f} over {last['step']} steps"


def _draw_loss(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    steps, losses = [entry["step"] for entry in points], [entry["loss"] for entry in points]
    if len(points) == 1:
        axes.plot(steps, losses, "o", color=ACCENT)
    else:
        axes.plot(steps, losses, color=ACCENT, alpha=0.35, linewidth=0.9)
        axes.plot(steps, smoothed(losses, reach_of(len(points))), color=ACCENT, linewidth=2)
        axes.set_xlim(steps[0], steps[-1])
        axes.margins(y=0.08)
    is_likelihood = not any(key.startswith(("reward", "margin")) for entry in points for key in entry)
    dress(axes, "loss, nats per token" if is_likelihood else "loss")


def _draw_rate(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    rated = [entry for entry in points if is_number(entry.get("learning_rate"))]
    if len(rated) < 2:
        return
    highest = max(entry["learning_rate"] for entry in rated)
    rates = axes.twinx()
    rates.plot(
        [entry["step"] for entry in rated],
        [entry["learning_rate"] for entry in rated],
        color=INK,
        alpha=0.55,
        linewidth=1,
        dashes=(3, 3),
    )
    rates.set_ylim(0, 1.1 * highest or 1)
    rates.set_yticks([highest], [f"learning\nrate\n{highest:.1e}".replace("e-0", "e-")])
    rates.tick_params(colors=INK, labelsize=FONT_SIZE, length=0)
    rates.yaxis.get_ticklabels()[0].set_verticalalignment("top")
    rates.spines[:].set_visible(False)


def _standalone(svg: str) -> str:
    """Take out what only matplotlib wants to say; leave colours and fonts to the reader."""
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg).replace(INK, "currentColor")
    svg = svg.replace("<svg ", '<svg class="manus-chart" role="img" ', 1)
    return svg.replace("</title>", f"</title>\n{STYLE}", 1)
