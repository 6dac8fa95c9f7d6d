"""The command that lets a model say something."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from manus.cli.app import app
from manus.cli.models import language_model
from manus.cli.options import AsJson, ModelName
from manus.errors import InputError

ENDINGS = {".wav": "wav", ".mp3": "mp3", ".opus": "opus", ".ogg": "opus", ".flac": "flac", ".aac": "aac"}


@app.command()
def say(
    model: ModelName,
    text: Annotated[str, typer.Argument(help="What to say; - reads it from the standard input.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Sound file: .wav, .mp3, .opus, .flac or .aac."),
    ] = Path("said.wav"),
    voice: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose voice; none: the first that the model has.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a model say a text, in a voice it learned, and write the sound into a file.

    The model must have a talker: a recipe with `- podcast` trains one. `manus detect` tells (audio_out).
    """
    name = ENDINGS.get(output.suffix.lower())
    if name is None:
        raise InputError(f"--output {output}: the ending must be one of {', '.join(ENDINGS)}")
    if not output.parent.is_dir():
        raise InputError(f"--output {output}: there is no folder {output.parent}")
    wanted = sys.stdin.read() if text == "-" else text
    folder, _ = language_model(model)
    from manus.models.speech.names import speaks

    if not speaks(folder):
        raise InputError(f"{model} does not speak: no stage of its recipe trained a talker (`- podcast`)")
    from manus.serving.chat import quiet_libraries

    quiet_libraries()
    from manus.models.loading.imports import import_libraries

    import_libraries()
    from manus.data.media.encoding import SoundWriter
    from manus.models.speech.voice import Voice

    with contextlib.redirect_stdout(sys.stderr):
        loaded = Voice.of(folder)
    chosen = voice if voice is not None else loaded.voices[0]
    began, first, samples = time.monotonic(), None, 0
    loaded.number_of(chosen)
    pieces = loaded.stream(wanted, chosen)
    temporary = output.with_name(f".{output.name}.incoming")
    try:
        with temporary.open("wb") as file:
            writer = SoundWriter(file, name, loaded.sample_rate)
            for piece in pieces:
                first = first if first is not None else time.monotonic() - began
                samples += len(piece)
                writer.add(piece)
            writer.end()
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    seconds, took = samples / loaded.sample_rate, time.monotonic() - began
    told = {
        "file": str(output),
        "voice": chosen,
        "voices": list(loaded.voices),
        "seconds": round(seconds, 2),
        "first_sound_seconds": round(first or 0.0, 3),
        "real_time_factor": round(took / seconds, 3) if seconds else None,
    }
    if as_json:
        print(json.dumps(told, indent=2))
        return
    others = ", ".join(name for name in loaded.voices if name != chosen)
    print(
        f"{output}: {seconds:.1f} seconds by {chosen} in {took:.1f} s, the first sound after "
        f"{told['first_sound_seconds']:.2f} s" + (f"; other voices: {others}" if others else "")
    )
