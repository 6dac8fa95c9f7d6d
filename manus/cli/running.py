"""Commands to runs of this machine: what they do, pause, resume, save, watch."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from manus.cli.app import app
from manus.cli.options import AsJson, Given, RunName, planned


@app.command()
def status(
    recipe: Annotated[
        Path | None, typer.Argument(help="A recipe; without it, all your runs on this machine.")
    ] = None,
    given: Given = None,
    as_json: AsJson = False,
    is_watched: Annotated[
        bool, typer.Option("--watch", help="Show it anew every second, until Ctrl-C.")
    ] = False,
) -> None:
    """Show what runs now: stage, step, loss, speed, temperature, time left, state.

    With a recipe: all of its artifacts, also those that are done or wait.
    """
    from rich.console import Console
    from rich.live import Live

    from manus.guards.registry import runs
    from manus.runs.watch import status_table

    def rows() -> list[dict[str, Any]]:
        from manus.runs.progress import progress_of

        return runs() if recipe is None else progress_of(planned(recipe, given))

    if as_json:
        print(json.dumps(rows(), indent=2))
        return
    if is_watched:
        with contextlib.suppress(KeyboardInterrupt), Live(status_table(rows()), auto_refresh=False) as live:
            while True:
                time.sleep(1)
                live.update(status_table(rows()), refresh=True)
    found = rows()
    print("nothing of yours runs on this machine") if not found else Console().print(status_table(found))


@app.command()
def pause(run: RunName = None) -> None:
    """Pause a run at its next step; it gives up the GPU's memory and keeps its state.

    `kill -USR1 PID` does the same, and undoes it.
    """
    _order(run, "pause")


@app.command()
def resume(run: RunName = None) -> None:
    """Let a paused run go on."""
    _order(run, "resume")


@app.command()
def checkpoint(run: RunName = None) -> None:
    """Let a run save its state at its next step and go on. `kill -USR2 PID` does the same."""
    _order(run, "checkpoint")


@app.command()
def watch(run: RunName = None) -> None:
    """Watch all your runs on this machine, full screen: loss curve, speed, heat; keys pause and resume."""
    from manus.guards.registry import runs
    from manus.runs.watch import watch as watch_runs

    watch_runs(runs, run)


def _order(name: str | None, word: str) -> None:
    from manus.guards.registry import runs
    from manus.runs.orders import find_run, order

    print(order(find_run(name, runs()), word))
