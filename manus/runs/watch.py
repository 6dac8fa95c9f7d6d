"""A live, full-screen view of the runs, with keys for orders. Draws what the statuses say; knows no more."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from manus.errors import InputError, ManusError
from manus.guards.progress import duration
from manus.guards.registry import Status
from manus.runs.orders import find_run, order, title

BLOCKS = " ▁▂▃▄▅▆▇█"
BAR_CELLS = 24
SECONDS_BETWEEN_DRAWINGS = 0.5
KEYS = {"p": "pause", "r": "resume", "c": "checkpoint"}
COLOURS = {
    "training": "green",
    "evaluating": "green",
    "preparing": "cyan",
    "paused": "yellow",
    "cooling": "blue",
    "checkpointing": "magenta",
    "failed": "red",
    "interrupted": "yellow",
    "done": "green",
    "in store": "green",
}


def sparkline(values: Sequence[float], cells: int) -> str:
    """Return the newest values as a line of blocks, the highest the largest, averaged to fit into `cells`."""
    if not values or cells < 1:
        return ""
    size = -(-len(values) // cells)
    means = [sum(part) / len(part) for part in (values[i : i + size] for i in range(0, len(values), size))]
    low, high = min(means), max(means)
    scale = (len(BLOCKS) - 2) / (high - low) if high > low else 0.0
    return "".join(BLOCKS[1 + round((value - low) * scale)] for value in means)


def bar(step: int, total: int) -> str:
    """Return a progress bar."""
    full = round(BAR_CELLS * step / total) if total else 0
    return "█" * full + "░" * (BAR_CELLS - full)


def status_table(statuses: Sequence[Status], selected: int = -1) -> Table:
    """Return the runs as a table, a row each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "state", "step", "loss", "tokens/s", "°C", "left", "process"):
        table.add_column(
            name, justify="left" if name in ("run", "state", "process") else "right", no_wrap=name != "run"
        )
    for index, status in enumerate(statuses):
        state = str(status["state"])
        table.add_row(
            ("▸ " if index == selected else "  ") * (selected >= 0) + str(status.get("id") or title(status)),
            Text(state, style=COLOURS.get(state, "")),
            f"{status['step']}/{status.get('total_steps', '?')}" if "step" in status else "",
            _number(status.get("loss"), ".3f"),
            _number(status.get("tokens_per_second"), ".0f"),
            _number(status.get("temperature"), ".0f"),
            duration(status["eta_seconds"]) if "eta_seconds" in status and state == "training" else "",
            f"{status['pid']}@{status['host']}" if "pid" in status else "",
        )
    return table


def _number(value: Any, form: str) -> str:
    return format(value, form) if isinstance(value, (int, float)) else ""


def view(statuses: Sequence[Status], selected: int, message: str, width: int) -> RenderableType:
    """Return the whole screen: all runs, and the selected one at length."""
    keys = Text("↑↓ choose   p pause   r resume   c checkpoint   q quit", style="dim")
    if not statuses:
        return Group(Panel("nothing of yours runs on this machine", title="manus watch"), keys)
    chosen, parts = statuses[selected], [Text("")]
    if "step" in chosen and "total_steps" in chosen:
        share = chosen["step"] / max(1, chosen["total_steps"])
        parts.append(
            Text(
                f"{bar(chosen['step'], chosen['total_steps'])} {share:.0%}   epoch {chosen.get('epoch', 0):g}"
            )
        )
    losses = [value for value in chosen.get("losses", []) if isinstance(value, (int, float))]
    if losses:
        parts.append(
            Text(f"loss {sparkline(losses, max(10, width - 40))} {losses[0]:.3f} → {losses[-1]:.3f}")
        )
    if chosen.get("reason"):
        since = f", since {chosen['since']}" if chosen.get("since") else ""
        parts.append(Text(f"{chosen['reason']}{since}", style="yellow"))
    if chosen.get("checkpoint"):
        parts.append(Text(str(chosen["checkpoint"]), style="dim"))
    parts.append(Text(message, style="bold"))
    return Group(
        Panel(status_table(statuses, selected), title="manus watch"),
        Panel(Group(*parts), title=title(chosen)),
        keys,
    )


def watch(read: Callable[[], list[Status]], name: str | None) -> None:
    """Show the runs until q is typed; keys give orders to the selected one.

    Raises:
        InputError: no run has this name.
    """
    statuses, selected, message = read(), 0, ""
    if name is not None:
        selected = statuses.index(find_run(name, statuses))
    console = Console()
    with (
        contextlib.suppress(KeyboardInterrupt),
        _single_keys() as key,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            selected = max(0, min(selected, len(statuses) - 1))
            live.update(view(statuses, selected, message, console.width), refresh=True)
            typed = key(SECONDS_BETWEEN_DRAWINGS)
            if typed in ("q", "\x1b"):
                return
            if typed in ("up", "k"):
                selected -= 1
            elif typed in ("down", "j"):
                selected += 1
            elif typed in KEYS and statuses:
                try:
                    message = order(statuses[selected], KEYS[typed], answer_seconds=0)
                except ManusError as error:
                    message = str(error)
            statuses = read()


@contextlib.contextmanager
def _single_keys() -> Iterator[Callable[[float], str]]:
    """Give a function that waits for one key, without a line's end; the terminal is put back afterwards."""
    if not sys.stdin.isatty():
        raise InputError("manus watch needs a terminal; `manus status --json` is for programs")
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def key(seconds: float) -> str:
        if not select.select([descriptor], [], [], seconds)[0]:
            return ""
        typed = os.read(descriptor, 8).decode(errors="replace")
        return {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down"}.get(typed, typed[:1])

    try:
        tty.setcbreak(descriptor)
        yield key
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
