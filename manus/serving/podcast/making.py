"""Makes an episode of a source, step by step: script, turns, mix, files. Loads nothing, parses no command line.

Beside `episode.mp3` lies a folder `episode/`:

    script.yaml      what is said; people edit it
    turns/           each spoken turn, by what its sound depends on
    transcript.vtt   who says what, and when
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manus.errors import InputError
from manus.scorers.podcast_scripts import (
    count_words,
    form_faults,
    length_error,
    repeated_share,
    supported_share,
)
from manus.serving.podcast import mixing
from manus.serving.podcast.episode import FORMATS, Line, format_of, write_sound, write_transcript
from manus.serving.podcast.script import Script, read_script, write_script
from manus.serving.podcast.sources import Source
from manus.serving.podcast.speaker import Speaker
from manus.serving.podcast.turns import speak_turns
from manus.serving.podcast.writing import TOLERANCE, Wish, Written

SCRIPT, TRANSCRIPT, TURNS, ANSWERS = "script.yaml", "transcript.vtt", "turns", "answers.jsonl"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an episode and what belongs to it lie."""

    episode: Path

    @property
    def folder(self) -> Path:
        """Of script, turns and transcript."""
        return self.episode.with_suffix("")

    @property
    def script(self) -> Path:
        """What is said."""
        return self.folder / SCRIPT


def check_place(place: Place) -> None:
    """See to it that an episode can be written there, before anything long begins.

    Raises:
        InputError: the ending is not known, or a file or folder stands in the way.
    """
    format_of(place.episode)
    if place.episode.is_dir():
        raise InputError(
            f"-o {place.episode}: is a folder; name a file in it, such as {place.episode}/episode.mp3"
        )
    if place.folder.exists() and not place.folder.is_dir():
        raise InputError(f"-o {place.episode}: its script and turns go to {place.folder}, which is a file")


def written_script(
    place: Place,
    source: Source,
    wish: Wish,
    voices: Sequence[str] | None,
    anew: bool,
    write: Callable[[], Written],
) -> tuple[Script, tuple[str, ...]]:
    """Return the script that lies there already, as it may have been edited, or write one.

    Args:
        place: of the episode.
        source: what it is about.
        wish: what it is to be.
        voices: of the speaker, where there is one.
        anew: write one whatever lies there.
        write: lets the model write.

    Returns:
        The script, and what should be said of it.

    Raises:
        InputError: the script there is about another source or of another length, or is wrong.
    """
    if place.script.is_file() and not anew:
        script = read_script(place.script, voices)
        _check_is_meant(place, script, source, wish)
        read_script(place.script, voices, len(source.sentences))  # its numbers are of this source
        return script, (f"{place.script} is taken as it stands; --rewrite writes it anew",)
    made = write()
    write_script(place.script, made.script)
    (place.folder / ANSWERS).unlink(missing_ok=True)
    return made.script, made.notes


def _check_is_meant(place: Place, script: Script, source: Source, wish: Wish) -> None:
    """Refuse to take a script for another source or length than was asked for."""
    if script.source is None or script.source.sha256 != source.sha256:
        about = "no source" if script.source is None else f"another text ({script.source.file})"
        other = f"it was written by hand, or {source.name} has changed since"
    elif script.minutes != wish.minutes:
        about = f"{script.minutes or 0:g} minutes, not {wish.minutes:g}"
        other = "--minutes is another"
    else:
        return
    raise InputError(
        f"{place.script}: is a script about {about}: {other}. --script {place.script} speaks it as it stands, "
        "--rewrite writes it anew, another -o keeps both"
    )


def make_episode(place: Place, script: Script, speaker: Speaker, words_per_minute: float) -> dict[str, Any]:
    """Speak a script and write the episode.

    Args:
        place: of the episode.
        script: read with this speaker's voices.
        speaker: who speaks.
        words_per_minute: that the length was planned with.

    Returns:
        What was made: files, seconds, loudness, how far the length is off, ...

    Raises:
        Interrupted: a signal asked to stop; the turns that are spoken are kept.
        ModelError: the speaker says nothing.
    """
    spoken = speak_turns(script, speaker, place.folder / TURNS)
    rate = spoken.sample_rate
    turns = mixing.evened(
        [mixing.trimmed(turn, rate) for turn in spoken.turns], [turn.host for turn in script.turns], rate
    )
    begins_chapter = {chapter.turn - 1 for chapter in script.chapters}
    cues = [
        mixing.Cue(turn.host, count_words(turn.text), number in begins_chapter)
        for number, turn in enumerate(script.turns)
    ]
    begins = mixing.starts(cues, [len(turn) for turn in turns], rate, script.seed)
    sound = mixing.levelled(mixing.laid(turns, begins), rate)
    lines = [
        Line(turn.host, turn.text, begin / rate, (begin + len(samples)) / rate)
        for turn, samples, begin in zip(script.turns, turns, begins, strict=True)
    ]
    chapters = [(chapter.title, lines[chapter.turn - 1].begin_seconds) for chapter in script.chapters]
    write_transcript(place.folder / TRANSCRIPT, lines)
    write_sound(place.episode, sound, rate, _tags(script), chapters)
    seconds = len(sound) / rate
    return {
        "episode": str(place.episode),
        "script": str(place.script),
        "transcript": str(place.folder / TRANSCRIPT),
        "seconds": round(seconds, 2),
        "loudness_lufs": round(mixing.loudness(sound, rate), 2),
        "peak_dbfs": round(mixing.peak_dbfs(sound), 2),
        "turns": len(script.turns),
        "turns_spoken_now": spoken.new,
        "chapters": len(chapters) if FORMATS[place.episode.suffix.lower()].has_chapters else 0,
        "minutes_wanted": script.minutes,
        "length_error": None
        if script.minutes is None
        else round(length_error(seconds / 60, script.minutes), 4),
        "words_per_minute": round(sum(count_words(turn.text) for turn in script.turns) / (seconds / 60), 1),
        "words_per_minute_planned": words_per_minute,
    }


def measures_of(script: Script, source: Source | None, words_per_minute: float) -> dict[str, Any]:
    """Return what can be measured of a script before it is heard; without a source, not what it rests on."""
    texts = [turn.text for turn in script.turns]
    words = sum(map(count_words, texts))
    return {
        "words": words,
        "supported_share": None
        if source is None
        else round(supported_share(script.turns, source.sentences), 4),
        "repeated_share": round(repeated_share(texts), 4),
        "length_error": None
        if script.minutes is None
        else round(length_error(words / words_per_minute, script.minutes), 4),
        "form_faults": form_faults(script.turns, [host.name for host in script.hosts]),
    }


def notes_on(made: dict[str, Any]) -> list[str]:
    """Return what should be said of an episode: by how much its length is off, and what its file cannot hold."""
    notes, error = [], made["length_error"]
    if error is not None and abs(error) > TOLERANCE:
        notes.append(
            f"the episode lasts {made['seconds'] / 60:.2f} minutes, {abs(error):.0%} "
            f"{'shorter' if error < 0 else 'longer'} than the {made['minutes_wanted']:g} that were asked for; these "
            f"voices say {made['words_per_minute']:g} words a minute, and {made['words_per_minute_planned']:g} were "
            f"planned with: --words-per-minute {made['words_per_minute']:.0f} --rewrite comes closer"
            if abs(made["words_per_minute"] / made["words_per_minute_planned"] - 1) > 0.05
            else f"the episode lasts {made['seconds'] / 60:.2f} minutes, {abs(error):.0%} "
            f"{'shorter' if error < 0 else 'longer'} than the {made['minutes_wanted']:g} that were asked for"
        )
    if Path(made["episode"]).suffix.lower() == ".wav":
        notes.append("a WAV file has no place for chapters; .mp3, .opus and .ogg have")
    return notes


def _tags(script: Script) -> dict[str, str]:
    return {
        "title": script.title,
        "artist": ", ".join(host.name for host in script.hosts),
        "genre": "Podcast",
        "language": script.language or "",
        "comment": "Synthetic voices"
        + (f"; made from {script.source.file}" if script.source is not None else ""),
    }
