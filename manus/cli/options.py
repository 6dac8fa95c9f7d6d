"""Arguments that several commands take, and the plan that most of them begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manus.plan.artifacts import Plan

RecipeFile = Annotated[Path, typer.Argument(help="The recipe, a YAML file.", show_default=False)]
StageName = Annotated[
    str, typer.Argument(help="A stage's name, as `manus plan` shows it.", show_default=False)
]
RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]", help="A stage, recipe, key or process id; not needed when only one runs."
    ),
]
Given = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override, as with `snakemake --config`: epochs=1, seed=7, ..."
    ),
]
ModelName = Annotated[
    str, typer.Argument(help="A folder such as results/R/merged, package:NAME/FOLDER or a hub id.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data for programs instead of text for people.")]


def planned(recipe: Path, given: list[str] | None) -> Plan:
    """Return the plan of a recipe with its overrides."""
    from manus.plan.planner import make_plan
    from manus.recipe.overrides import parse_override
    from manus.recipe.recipe import read_recipe

    return make_plan(read_recipe(recipe, dict(parse_override(text) for text in given or ()), "--set"))
