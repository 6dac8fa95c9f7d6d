"""The command that examines a stage's data."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Annotated

import typer

from manus.cli.app import app
from manus.cli.building import build_one
from manus.cli.options import AsJson, Given, RecipeFile, StageName, planned


@app.command()
def data(
    recipe: RecipeFile,
    name: StageName,
    given: Given = None,
    sample: Annotated[int, typer.Option(min=0, help="How many samples to show as the model sees them.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Examine a stage's data, prepared first: counts, lengths, quarantine, leaks, a sample and its loss mask.

    Exit code 2: a held-out prompt is trained on.
    """
    resolved = planned(recipe, given)
    if f"data/{name}" not in resolved.artifacts:
        resolved.stage(name)
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for what was found
        build_one(recipe, given, f"data/{name}")
    from rich.console import Console

    from manus.cli.data_view import check, examined, show

    found, title = examined(resolved, name, sample), f"{resolved.recipe.name}: {name}"
    if as_json:
        print(json.dumps({"stage": name, **found.to_json()}, indent=2, ensure_ascii=False))
    else:
        show(found, title, Console())
    check(found, title)
