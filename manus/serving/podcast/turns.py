"""Keeps each spoken turn as a file of its own, so that only what changed is spoken. Mixes nothing."""

from __future__ import annotations

import hashlib
import json
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from manus.errors import ModelError
from manus.guards.progress import progress
from manus.guards.run import RUN
from manus.serving.podcast.files import whole_or_absent
from manus.serving.podcast.script import Script, Turn
from manus.serving.podcast.speaker import Speaker

FORMAT = 1  # raised when the same speaker's turns are kept otherwise
SHORTEST_SECONDS = 0.05
FULL = 32767


@dataclass(frozen=True, slots=True)
class Spoken:
    """The sound of all turns: samples [S] each, a second has `sample_rate` of them; how many are new."""

    turns: tuple[npt.NDArray[np.float32], ...]
    sample_rate: int
    new: int


def speak_turns(script: Script, speaker: Speaker, folder: Path) -> Spoken:
    """Speak the turns of a script that are not kept yet, each into its own file.

    Args:
        script: read with this speaker's voices.
        speaker: who speaks.
        folder: where turns are kept; it is made if needed.

    Raises:
        Interrupted: a signal asked to stop between two turns; those before it are kept.
        ModelError: the speaker says nothing, or no sound.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sounds, new = [], 0
    with progress("speak", len(script.turns), "turns") as advance:
        for place, turn in enumerate(script.turns):
            RUN.cross("speaking the episode")
            voice = script.voice_of(turn.host, speaker.voices)
            kept = folder / f"{name_of(turn.text, voice, speaker)}.wav"
            sound = read_wav(kept, speaker.sample_rate)
            if sound is None:
                sound = _checked(speaker.speak(turn.text, voice), speaker.sample_rate, turn, place + 1)
                write_wav(kept, sound, speaker.sample_rate)
                sound = read_wav(kept, speaker.sample_rate)  # the same bits now as when it is kept
                assert sound is not None, "what was written a moment ago can be read"
                new += 1
            sounds.append(sound)
            advance(place + 1, f"{new} new")
    return Spoken(tuple(sounds), speaker.sample_rate, new)


def name_of(text: str, voice: str, speaker: Speaker) -> str:
    """Return what a spoken turn is kept under: a digest of all that its sound depends on."""
    said = json.dumps([FORMAT, text, voice, speaker.identity, speaker.sample_rate])
    return hashlib.sha256(said.encode()).hexdigest()


def read_wav(path: Path, sample_rate: int) -> npt.NDArray[np.float32] | None:
    """Return a kept turn's samples [S]; None if there is none, or what is there is not whole."""
    try:
        with wave.open(str(path), "rb") as file:
            is_ours = (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, sample_rate)
            count, data = file.getnframes(), file.readframes(file.getnframes())
    except (FileNotFoundError, wave.Error, EOFError):
        return None
    if not is_ours or len(data) != 2 * count or not count:
        return None
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(FULL)


def write_wav(path: Path, samples: npt.NDArray[np.float32], sample_rate: int) -> None:
    """Write samples [S] as a WAV file of 16 bits that is whole or absent; a peak above 1 is scaled down."""
    loudest = max(1.0, float(np.abs(samples).max(initial=0)))
    with whole_or_absent(path) as temporary, wave.open(str(temporary), "wb") as file:
        file.setparams((1, 2, sample_rate, 0, "NONE", ""))
        file.writeframes(np.round(samples / loudest * FULL).astype("<i2").tobytes())


def _checked(
    samples: npt.NDArray[np.float32], sample_rate: int, turn: Turn, number: int
) -> npt.NDArray[np.float32]:
    """Return a spoken turn if it is sound."""
    samples = np.asarray(samples, np.float32)
    said = f"turn {number} ({turn.host}: {turn.text[:40]!r})"
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise ModelError(
            f"{said}: the model gave no sound but an array {samples.shape}, or values without end"
        )
    if len(samples) < SHORTEST_SECONDS * sample_rate or not samples.any():
        raise ModelError(f"{said}: the model said nothing; change the text, or train its talker longer")
    return samples
