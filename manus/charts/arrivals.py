"""Draws when the pieces of streamed answers came. Knows nothing of models, files or reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manus.charts.drawing import ACCENT, FONT_SIZE, INK, SIZE_INCHES, dress, svg_of

OTHER = "#d55e00"  # beside ACCENT it reads on white and on near-black


def arrivals_chart(arrivals: Mapping[int, Sequence[Sequence[float]]]) -> str:
    """Return an SVG with a row for each answer, on which each piece is a mark at the moment when it came.

    Args:
        arrivals: for each number of streams side by side, the answers, each as the seconds since it was asked at
            which its pieces came. Of answers that were streamed one after another, each is a row as well.

    The same arrivals give the same bytes. Background and font are the reader's.
    """
    from matplotlib.figure import Figure

    figure = Figure(SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    row, ticks = 0, []
    for colour, (streams, answers) in zip((ACCENT, OTHER), arrivals.items(), strict=False):
        ticks.append((row + (len(answers) - 1) / 2, "1 stream" if streams == 1 else f"{streams} streams"))
        for moments in answers:
            axes.vlines(list(moments), row - 0.34, row + 0.34, color=colour, linewidth=1)
            row += 1
        row += 1
    dress(axes, "", along="seconds since the question was asked")
    axes.grid(visible=False)
    axes.set_yticks([place for place, _ in ticks], [label for _, label in ticks])
    axes.set_ylim(max(row - 1, 1) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", colors=INK, labelsize=FONT_SIZE)
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(6))  # of seconds, not of whole steps
    return svg_of(figure, _title(arrivals))


def _title(arrivals: Mapping[int, Sequence[Sequence[float]]]) -> str:
    told = [
        f"{streams} at a time: {len(answers)} answers in up to {max((m for one in answers for m in one), default=0):.2f} s"
        for streams, answers in arrivals.items()
    ]
    return f"When the pieces of streamed answers came; {'; '.join(told)}"
