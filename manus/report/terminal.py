"""The summary as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from manus.evaluation.gates import Verdict
from manus.plan.artifacts import Plan
from manus.report.streaming import streaming_views
from manus.report.summary import SummaryRow, headline, summary_rows, unpublished

WIDE_COLUMNS = 110
STYLES = {"better": "green", "worse": "red", "not shown": "yellow"}


def print_summary(plan: Plan, verdicts: Sequence[Verdict], console: Console) -> None:
    """Print what got better on held-out data, by how much, and how sure that is."""
    rows = summary_rows(plan)
    console.print(_table(rows, is_wide=console.width >= WIDE_COLUMNS))
    console.print(Text(headline(rows), style="bold"))
    if any(not row.is_share for row in rows):
        console.print(Text("a gain in nats: those saved per token", style="dim"))
    for view in streaming_views(plan):
        console.print(Text(view.sentence, style="green" if view.is_equal else "red"))
        for times in view.times_in_words:
            console.print(Text(f"  {times}", style="dim"))
    if reason := unpublished(verdicts):
        console.print(Text(reason, style="bold red"))
        for verdict in verdicts:
            console.print(Text(f"  {verdict}", style="" if verdict.is_passed else "red"))


def _table(rows: Sequence[SummaryRow], is_wide: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2 if is_wide else 1, 0, 0))
    table.add_column("stage", overflow="fold")
    if is_wide:
        table.add_column("method", no_wrap=True)
        table.add_column("measured")
    for name in ("before", "after", "merged", "gain", "95 % interval", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        values = [row.shown(value, is_column=True) for value in (row.before, row.after, row.merged)]
        about = [row.stage, *([row.method, row.measured] if is_wide else [])]
        cells = [*about, *values, *row.gain.cells, str(row.samples)]
        table.add_row(*map(Text, cells), Text(row.verdict, style=STYLES[row.verdict]))
    return table
