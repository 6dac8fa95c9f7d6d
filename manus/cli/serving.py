"""The command that puts a model behind the addresses of OpenAI's interface."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from manus.cli.app import app
from manus.cli.models import language_model
from manus.cli.options import planned
from manus.errors import InputError
from manus.files import at_home

KEY = "MANUS_SERVE_KEY"


@app.command()
def serve(
    model: Annotated[
        str,
        typer.Argument(help="A folder such as results/R/merged, a recipe whose model is built, or a hub id."),
    ],
    host: Annotated[
        str, typer.Option(help=f"Address to listen at. Others than this machine's own need a key in {KEY}.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")
    ] = 8000,
    name: Annotated[
        str | None, typer.Option(help="What clients call the model; none: by its folder or recipe.")
    ] = None,
    places: Annotated[int, typer.Option(min=1, help="Answers that are made side by side.")] = 16,
    waiting: Annotated[
        int, typer.Option(min=0, help="Answers that may wait for a place; more are told to come again.")
    ] = 128,
    answer_seconds: Annotated[
        float, typer.Option(min=1, help="The longest time an answer may take.")
    ] = 600.0,
    fetch_media: Annotated[
        bool, typer.Option("--fetch-media", help="Fetch media from addresses on the public internet.")
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Let pages of this origin ask, as https://example.org."),
    ] = None,
    tools: Annotated[
        Literal["auto", "system", "template"],
        typer.Option(
            help="Where the model is shown functions: as Manus teaches them, or as its chat template does."
        ),
    ] = "auto",
) -> None:
    """Answer OpenAI's clients with a model: chats, completions, responses, sound; and a page to talk with it.

    SIGTERM or Ctrl-C lets running answers end. See docs/GUIDE.md for what clients can ask.
    """
    folder, called = _served(model)
    from manus.serving.chat import quiet_libraries

    quiet_libraries()
    from manus.models.loading.imports import import_libraries

    import_libraries()
    from manus.serving.server.limits import Limits
    from manus.serving.server.running import access_to, serve

    access = access_to(host, os.environ.get(KEY), tuple(allow_origin or ()))
    limits = Limits(places=places, waiting=waiting, answer_seconds=answer_seconds, may_fetch=fetch_media)
    in_system = {"auto": None, "system": True, "template": False}[tools]
    serve(folder, name or called, host, port, limits, access, in_system)


def _served(model: str) -> tuple[Path, str]:
    """Return the folder of a model to serve, and what to call it."""
    if model.endswith((".yaml", ".yml")):
        plan = planned(at_home(model), None)
        folder = plan.artifacts["merge/merged"].view
        if not (folder / "config.json").is_file():
            raise InputError(f"{model}: its model is not built yet; run snakemake --config recipe={model}")
        return folder, Path(model).stem
    folder, _ = language_model(model)
    path = at_home(model).resolve()
    if not path.exists():
        return folder, model
    return folder, path.parent.name if path.name == "merged" else path.name
