"""Commands that ask a model: what it can take in, what it answers, how well. They need no recipe."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manus.cli.app import app
from manus.cli.options import AsJson, ModelName
from manus.errors import InputError, ModelError
from manus.files import at_home

if TYPE_CHECKING:
    from manus.models.detection.detect import Detection
    from manus.serving.conversation import Conversation
    from manus.serving.remote import RemoteConversation


@app.command()
def detect(
    model: Annotated[str, typer.Argument(help="A folder, a .gguf file, package:NAME/FILE or a hub id.")],
    as_json: AsJson = False,
) -> None:
    """Say what a model can take in and give out, from its configuration alone."""
    found = _model(model)[1].to_dict()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"{model}: {found['kind']}, {found['model_type']}")
    for modality, is_there in found["modalities"].items():
        reasons = "; ".join(found["evidence"].get(modality, []))
        print(f"  {'yes' if is_there else 'no':4} {modality:14} {reasons}".rstrip())


@app.command()
def chat(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A folder such as results/R/merged, package:NAME/FOLDER or a hub id; none with --server."
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Talk with the model of a server, such as that of `manus serve`."),
    ] = None,
    image: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A picture to talk about; can be repeated.")
    ] = None,
    video: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="A video, likewise.")] = None,
    audio: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="A sound, likewise.")] = None,
    once: Annotated[
        str | None, typer.Option(metavar="QUESTION", help="Ask this, print the answer, and end.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="What the model is told before everything else.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="The longest answer.")] = 512,
    temperature: Annotated[float, typer.Option(min=0, help="0: always the likeliest token.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Talk with a model, also about pictures, videos and sounds; or ask it one question (--once or on stdin).

    Inside: /image FILE, /video FILE, /audio FILE, /reset, /quit; Ctrl-C stops an answer.
    """
    from manus.serving.chat import ask_once, attach_all, is_typed, talk

    is_asked_once = once is not None or not is_typed()
    if as_json and not is_asked_once:
        raise InputError("--json needs a question: give it with --once or on stdin")
    media = {"image": image or [], "video": video or [], "audio": audio or []}
    if (model is None) == (server is None):
        raise InputError("name a model, or a server with --server URL; not both")
    settings: tuple[int, float, str | None] = (max_new_tokens, temperature, system)
    conversation: Conversation | RemoteConversation
    if server is not None:
        from manus.serving.remote import RemoteConversation

        conversation = RemoteConversation(server, os.environ.get("MANUS_SERVE_KEY"), *settings)
    else:
        conversation = _conversation(str(model), media, settings)
    from rich.console import Console

    attach_all(conversation, media)  # type: ignore[arg-type]
    if is_asked_once:
        ask_once(conversation, sys.stdin.read() if once is None else once, as_json)
    else:
        talk(conversation, Console())


def _conversation(
    model: str, media: Mapping[str, Sequence[Path]], settings: tuple[int, float, str | None]
) -> Conversation:
    """Load a model to talk with, once it is known that it has the senses for the given media."""
    from manus.models.senses.settings import senses_in
    from manus.serving.chat import check_senses, quiet_libraries

    folder, found = language_model(model)
    own = senses_in(folder) if found.kind == "transformers" else set()
    check_senses(found.modalities | dict.fromkeys(own, True), model, media)  # type: ignore[arg-type]
    quiet_libraries()
    from manus.models.loading.imports import import_libraries

    import_libraries()
    from manus.serving.conversation import Conversation

    return Conversation(folder, *settings)


@app.command()
def measure(
    model: ModelName,
    capability: Annotated[str, typer.Argument(help="Whose probe asks, such as vision-qa.")],
    data: Annotated[
        Path, typer.Option(metavar="FILE", help="Rows with questions and answers, or a folder of such files.")
    ],
    rows: Annotated[int, typer.Option(min=1, help="At most so many of them, from the beginning.")] = 200,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, help="The longest answer; none: the probe's own.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure any model on rows of your own, and with its sense cut off: picture blanked, sound silenced, ...

    The rows have the shapes that a stage's `data` may have (docs/DATASETS.md). Nothing is stored.
    """
    from manus.errors import did_you_mean
    from manus.recipe.recipe import CAPABILITIES

    if capability not in CAPABILITIES:
        raise InputError(f"{capability!r} is no capability; {did_you_mean(capability, CAPABILITIES)}")
    if not data.exists():
        raise InputError(f"--data {data}: no such file")
    folder = language_model(model)[0]
    from rich.console import Console

    from manus.serving.chat import quiet_libraries

    quiet_libraries()
    from manus.models.loading.imports import import_libraries

    import_libraries()
    from manus.serving.own_rows import measured_on, table_of, unread_in

    limits = {} if max_new_tokens is None else {"max_new_tokens": max_new_tokens}
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for what was found
        found = measured_on(folder, capability, CAPABILITIES[capability], data, rows, limits)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    Console().print(table_of(found))
    for reason, count in found["refused"].items():
        print(f"{count} of {found['rows']} rows were not used: {reason}", file=sys.stderr)
    for words in unread_in(found, data):
        print(words, file=sys.stderr)


def _model(name: str) -> tuple[Path, Detection]:
    """Return the folder (or .gguf file) of a model on the command line, and what its configuration says."""
    from manus.models.base import find_base, local_folder
    from manus.models.detection.detect import detect as detect_modalities
    from manus.store.digests import Digests

    path = at_home(name)
    try:
        folder = path if path.exists() else local_folder(find_base(name, Path(), Digests(), {}))
    except ModelError as error:
        raise ModelError(str(error).removeprefix("base_model ")) from None
    return folder, detect_modalities(folder)


def language_model(name: str) -> tuple[Path, Detection]:
    """Return the folder of a language model given on the command line, and what its configuration says."""
    folder, found = _model(name)
    if not found.language_model or found.kind not in ("transformers", "adapter"):
        raise InputError(
            f"{name}: is no folder of a language model; give one such as a recipe's base/ or merged/"
        )
    return folder, found
