"""From what was asked for to an episode: checks first, then whatever is needed. Parses no command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from manus.errors import InputError, did_you_mean
from manus.serving.podcast.answers import Ask, remembering
from manus.serving.podcast.making import (
    ANSWERS,
    Place,
    check_place,
    make_episode,
    measures_of,
    notes_on,
    written_script,
)
from manus.serving.podcast.script import Script, read_script
from manus.serving.podcast.sources import Source, read_source
from manus.serving.podcast.speaker import Speaker
from manus.serving.podcast.writing import Wish, Written, write


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made.

    model: its name, for messages.
    episode: the file.
    wish: what the script is to be, where one is written.
    source: what it is about; None where a script is spoken.
    script: one to speak instead of writing one.
    script_only: whether nothing is to be spoken.
    rewrite: whether a script that lies there is written anew.
    """

    model: str
    episode: Path
    wish: Wish
    source: Path | None = None
    script: Path | None = None
    script_only: bool = False
    rewrite: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, for programs, and what should be said of it to people."""

    facts: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def check(order: Order) -> Source | None:
    """Refuse what cannot be made, before any model is found or loaded; return the source, if there is one.

    Raises:
        InputError: options contradict each other, or a file cannot be used.
    """
    if order.script is None and order.source is None:
        raise InputError("name a source to talk about, or a script to speak with --script FILE")
    if order.script is not None and (order.script_only or order.rewrite):
        option = "--script-only" if order.script_only else "--rewrite"
        raise InputError(
            f"--script speaks a script that is there, {option} is for one to be written; leave one out"
        )
    check_place(Place(order.episode))
    hosts = order.wish.hosts
    if order.script is None and (len(hosts) < 2 or len(set(hosts)) < len(hosts)):
        raise InputError(f"--hosts {','.join(hosts)}: give two different names or more, as --hosts Ada,Ben")
    source = None if order.source is None else read_source(order.source)
    if order.script is not None:
        read_script(order.script, None, len(source.sentences) if source else None)
    return source


def carry_out(
    order: Order,
    source: Source | None,
    folder: Path,
    asking: Callable[[Path], Ask],
    speaker_of: Callable[[Path], Speaker],
) -> Made:
    """Write and speak what was ordered.

    Args:
        order: that `check` found nothing wrong with.
        source: as `check` returned it.
        folder: of the model.
        asking: loads it for questions.
        speaker_of: loads it for speech.

    Raises:
        InputError: a voice is not known, or the script is wrong.
        ModelError: the model does not speak, or cannot write a script.
        Interrupted: a signal asked to stop; the same order goes on from there.
    """
    place = Place(order.episode)
    speaker = None if order.script_only else speaker_of(folder)
    wish = order.wish if speaker is None or order.script else _with_voices(order.wish, speaker)
    script, notes, voices = None, tuple[str, ...](), None if speaker is None else speaker.voices
    if order.script is not None:
        script = read_script(order.script, voices, len(source.sentences) if source else None)
    else:
        assert source is not None, "without a script there is a source"
        known = source

        def writing() -> Written:
            ask = remembering(asking(folder), folder, place.folder / ANSWERS)
            return write(known, wish, ask, order.model)

        script, notes = written_script(place, known, wish, voices, order.rewrite, writing)
    facts = {
        "script": str(order.script or place.script),
        "script_measures": measures_of(script, _rested_on(script, source), wish.words_per_minute),
    }
    if speaker is None:
        return Made(facts, list(notes))
    made = make_episode(place, script, speaker, wish.words_per_minute)
    return Made({**made, **facts}, [*notes, *notes_on(made)])


def _with_voices(wish: Wish, speaker: Speaker) -> Wish:
    """Return a wish with a voice for each host.

    Raises:
        InputError: a voice is not known, or there are too few.
    """
    for voice in wish.voices:
        if voice not in speaker.voices:
            raise InputError(
                f"--voices: the model has no voice {voice!r}; {did_you_mean(voice, speaker.voices)}"
            )
    voices = (*wish.voices, *(voice for voice in speaker.voices if voice not in wish.voices))
    if len(voices) < len(wish.hosts):
        raise InputError(
            f"--hosts names {len(wish.hosts)} hosts, the model has {len(voices)} voices: {', '.join(voices)}; "
            "name as many with --voices, a voice may come twice"
        )
    return replace(wish, voices=voices[: len(wish.hosts)])


def _rested_on(script: Script, source: Source | None) -> Source | None:
    """Return the source if it is the one that the script's numbers are about."""
    is_same = source is not None and script.source is not None and script.source.sha256 == source.sha256
    return source if is_same else None
