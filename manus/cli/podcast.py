"""The command that makes an episode of a source."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from manus.cli.app import app
from manus.cli.models import language_model
from manus.cli.options import AsJson, ModelName
from manus.files import at_home


@app.command()
def podcast(
    model: ModelName,
    source: Annotated[
        Path | None,
        typer.Argument(help="What to talk about: text, Markdown, HTML or PDF.", show_default=False),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The episode: .mp3, .opus, .ogg or .wav.")
    ] = Path("episode.mp3"),
    minutes: Annotated[float, typer.Option(min=0.25, max=120, help="How long it is to be.")] = 3.0,
    script: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Speak this script instead of writing one.")
    ] = None,
    script_only: Annotated[
        bool, typer.Option("--script-only", help="Stop after the script, to edit it before it is heard.")
    ] = False,
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="Write the script anew, over the one that lies there.")
    ] = False,
    hosts: Annotated[
        str, typer.Option(metavar="A,B", help="The names of those who talk, two or more.")
    ] = "Ada,Ben",
    voices: Annotated[
        str | None, typer.Option(metavar="A,B", help="Their voices; none: the model's first ones.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="What they speak, such as de; none: the source's language.")
    ] = None,
    words_per_minute: Annotated[
        float,
        typer.Option(min=20, max=400, help="How fast the voices speak, which the script's length follows."),
    ] = 208.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the pauses between turns.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make an episode in which hosts talk about a source.

    Beside episode.mp3 lies a folder episode/ with script.yaml, transcript.vtt and a file for each spoken turn.

    Edit a line of script.yaml and run `manus podcast MODEL --script episode/script.yaml`: that turn is spoken anew, the
    others are kept. After a kill, the same command goes on with the next turn. docs/GUIDE.md#podcasts has the rest.
    """
    from manus.guards.requests import REQUESTS
    from manus.serving.podcast.ordering import Order, carry_out, check
    from manus.serving.podcast.writing import Wish

    wish = Wish(minutes, _names(hosts), _names(voices or ""), language, words_per_minute, seed)
    order = Order(
        model,
        at_home(output),
        wish,
        None if source is None else at_home(source),
        None if script is None else at_home(script),
        script_only,
        rewrite,
    )
    text = check(order)
    folder = language_model(model)[0]
    from manus.serving.chat import quiet_libraries

    quiet_libraries()
    from manus.models.loading.imports import import_libraries

    import_libraries()
    from manus.serving.podcast.asking import asking
    from manus.serving.podcast.speaker import speaker_of

    REQUESTS.listen()
    made = carry_out(order, text, folder, asking, speaker_of)
    for note in made.notes:
        print(note, file=sys.stderr)
    print(json.dumps(made.facts, indent=2, ensure_ascii=False) if as_json else _told(made.facts))


def _names(given: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in given.split(",") if name.strip())


def _told(facts: dict[str, Any]) -> str:
    """Return what was made, for people."""
    measures = facts["script_measures"]
    supported = measures["supported_share"]
    lines = [
        f"{facts['script']}: {measures['words']} words"
        + ("" if supported is None else f", {supported:.0%} of the turns share words with what they rest on"),
        *measures["form_faults"],
    ]
    if "episode" not in facts:
        return "\n".join([*lines, "edit it, then speak it with --script"])
    missed = "" if facts["length_error"] is None else f" ({facts['length_error']:+.0%} of what was asked for)"
    return "\n".join(
        [
            *lines,
            f"{facts['episode']}: {facts['seconds'] / 60:.2f} minutes{missed}, {facts['loudness_lufs']:.1f} LUFS, peak "
            f"{facts['peak_dbfs']:.1f} dBFS, {facts['chapters']} chapters, {facts['turns']} turns, "
            f"{facts['turns_spoken_now']} of them spoken now",
            f"{facts['transcript']}: the transcript",
        ]
    )
