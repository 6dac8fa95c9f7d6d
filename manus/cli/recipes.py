"""Commands about recipes: write one, check it, show what it will build and why. They build nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from manus.cli.app import app
from manus.cli.options import AsJson, Given, RecipeFile, StageName, planned
from manus.errors import Fault, InputError


@app.command()
def new(
    file: Annotated[
        Path | None, typer.Argument(help="Where to write it.", show_default="recipe.yaml")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Look at these rows, and write the recipe that fits them."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it, too.")] = None,
    force: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Write a commented recipe to start from, or one that fits a file or folder of your rows (--data)."""
    from manus.recipe.fields import NAME_RULE, SAFE_NAME
    from manus.recipe.starter import STARTER

    if file is not None and output is not None:
        raise InputError(f"{file} and --output {output}: name one place")
    file = file or output or Path("recipe.yaml")
    if not SAFE_NAME.fullmatch(file.stem):
        raise InputError(f"{file}: the file's name becomes a folder; {NAME_RULE} in it")
    if file.exists() and not force:
        raise InputError(f"{file}: exists; choose another name, or --force")
    text = STARTER
    if data is not None:
        from manus.recipe.from_data import recipe_for

        if not data.exists():
            raise InputError(f"--data {data}: no such file or folder")
        text = recipe_for(data, file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.filename}: {error.strerror}") from None
    print(f"{file} written; next: manus plan {file}")


@app.command()
def validate(recipe: RecipeFile, given: Given = None, as_json: AsJson = False) -> None:
    """Check a recipe, its base and its data; build nothing.

    Every problem is named with its line; --json gives file, line, key and message of each. Exit code 0: it
    can be run, 2: it cannot.
    """
    from manus.plan.next_run import check_ways

    try:
        plan = planned(recipe, given)
        check_ways(plan)
    except InputError as error:
        if not as_json:
            raise
        faults = error.faults or (Fault(str(recipe), None, None, str(error)),)
        told = {"recipe": recipe.stem, "is_valid": False, "problems": [asdict(fault) for fault in faults]}
        print(json.dumps(told, ensure_ascii=False))
        raise typer.Exit(error.exit_code) from None
    stages = [f"{stage.name} ({stage.method})" for stage in plan.recipe.stages]
    stages += [f"{feature.name} (trains nothing)" for feature in plan.recipe.features]
    if as_json:
        print(json.dumps({"recipe": plan.recipe.name, "is_valid": True, "stages": len(stages)}))
    else:
        print(f"{recipe} is valid: {plan.base.title}, {plan.recipe.compose}: {', '.join(stages)}")


@app.command()
def plan(recipe: RecipeFile, given: Given = None, as_json: AsJson = False) -> None:
    """Show what the next run will build, and why; build nothing.

    `build`: must be made. `publish`: is in the store, only needs to be shown. `current`: nothing to do.
    """
    from manus.plan.measures import measure_of
    from manus.plan.next_run import next_run

    resolved = planned(recipe, given)
    measures = {stage.name: measure_of(resolved.recipe, stage) for stage in resolved.recipe.stages}
    rows = [(resolved.artifacts[name], status) for name, status in next_run(resolved).items()]
    if as_json:
        data = [
            {"id": a.id, "key": a.key, "action": s.action, "why": s.why, "view": str(a.view)} for a, s in rows
        ]
        print(json.dumps({**resolved.to_json(), "measures": measures, "next_run": data}, indent=2))
        return
    print(
        f"{resolved.base.title}, {resolved.recipe.compose}, seed {resolved.recipe.seed} -> {resolved.folder}/"
    )
    width = max(len(artifact.id) for artifact, _ in rows)
    for artifact, status in rows:
        print(f"  {status.action:8} {artifact.id:{width}}  {artifact.key[:8]}  {status.why}".rstrip())
    for name, measure in measures.items():
        print(f"  {name} is measured by {measure}")
    for feature in resolved.recipe.features:
        print(f"  {feature.name} trains nothing: it is tried on the merged model before that is shown")
    count = {
        action: sum(status.action == action for _, status in rows)
        for action in ("build", "publish", "current")
    }
    print(
        f"{count['build']} to build, {count['publish']} to publish from the store, {count['current']} current"
    )


@app.command()
def why(recipe: RecipeFile, stage: StageName, given: Given = None, as_json: AsJson = False) -> None:
    """Name the exact field or file that changed since a stage was last built."""
    from manus.plan.next_run import next_run

    resolved = planned(recipe, given)
    chain = [
        name for name in resolved.needed_for([resolved.result_of(stage)]) if not name.startswith("detect/")
    ]
    statuses = next_run(resolved)
    reasons = {name: statuses[name] for name in chain}
    if as_json:
        print(json.dumps({name: {"action": s.action, "why": s.why} for name, s in reasons.items()}, indent=2))
        return
    for name, status in reasons.items():
        print(f"{name}: {status.action}{': ' + status.why if status.why else ''}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors that complete and check YAML."""
    from manus.recipe.schema import json_schema

    print(json.dumps(json_schema(), indent=2))
