"""Commands that build: a stage, an evaluation, the merged model, any artifact. Knows not how it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manus.cli.app import app
from manus.cli.options import Given, RecipeFile, StageName, planned
from manus.errors import Interrupted, ManusError


@app.command()
def stage(
    recipe: RecipeFile,
    name: StageName,
    given: Given = None,
    ranks: Annotated[
        int, typer.Option(min=1, help="Train with so many processes (torchrun), one a GPU.")
    ] = 1,
) -> None:
    """Train one stage without Snakemake, and first whatever it needs. One that trains nothing is measured."""
    resolved = planned(recipe, given)
    result = resolved.result_of(name)
    if ranks == 1 or result.startswith("feature/"):
        build_one(recipe, given, result)
        return
    from manus.launch.ranks import launch
    from manus.runs.progress import progress_of

    for needed in resolved.artifacts[f"train/{name}"].parents:
        build_one(recipe, given, needed)
    given_again = [text for pair in given or () for text in ("--set", pair)]
    if launch(ranks, ["stage", str(recipe), name, *given_again]):
        state = next(row for row in progress_of(resolved) if row["id"] == f"train/{name}")
        reason = state.get("reason") or "the lines above say why"
        error = Interrupted if state["state"] == "interrupted" else ManusError
        raise error(f"the {ranks} ranks ended: {reason}")


@app.command()
def evaluate(recipe: RecipeFile, name: StageName, given: Given = None) -> None:
    """Measure a stage (or `merged`) on held-out data, and first build whatever it needs."""
    result = "" if name == "merged" else planned(recipe, given).result_of(name)
    build_one(recipe, given, result if result.startswith("feature/") else f"evaluate/{name}")


@app.command()
def merge(recipe: RecipeFile, given: Given = None) -> None:
    """Merge all stages into one model, and first build whatever it needs."""
    build_one(recipe, given, "merge/merged")


@app.command(name="build")
def build_artifact(
    recipe: RecipeFile,
    artifact: Annotated[str, typer.Argument(help="What `manus plan` lists, such as train/cot.")],
    given: Given = None,
    stamp: Annotated[
        Path | None, typer.Option(help="The output that Snakemake waits for; names the key.")
    ] = None,
) -> None:
    """Build one artifact of the plan. Snakemake's jobs call this."""
    build_one(recipe, given, artifact, stamp)


def build_one(recipe: Path, given: list[str] | None, name: str, stamp: Path | None = None) -> None:
    """Build an artifact of a recipe; with a stamp, as a job of Snakemake's."""
    from manus.errors import RecipeError, did_you_mean
    from manus.guards.neighbours import Neighbours
    from manus.guards.ranks import is_first, world_size
    from manus.guards.requests import REQUESTS
    from manus.jobs.log import logged
    from manus.jobs.runner import build

    REQUESTS.listen(is_job=stamp is not None or world_size() > 1)
    neighbours = Neighbours()
    resolved = planned(recipe, given)
    if name not in resolved.artifacts:
        raise RecipeError(
            f"{recipe}: no artifact is called {name!r}; {did_you_mean(name, resolved.artifacts)}"
        )
    if stamp is not None and not stamp.name.startswith(
        f"{name.split('/')[1]}@{resolved.artifacts[name].stamp}"
    ):
        raise RecipeError(
            f"{recipe}: the recipe or its data changed since this run was planned; run snakemake again"
        )
    neighbours.choose_waiting()
    if not is_first():
        build(resolved, name, with_parents=stamp is None)
        return
    with logged(resolved.folder / "logs" / f"{name.split('/')[1]}.log", name):
        build(resolved, name, with_parents=stamp is None)
    if stamp is not None:
        stamp.touch()
