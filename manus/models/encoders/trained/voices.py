"""A codec for the two synthetic voices of `read-aloud`, fitted in a minute to what they read aloud.

It is no stand-in for a real codec: it knows those voices and no others. How far its round trip lies from
sentences that it was not fitted to, and how well it tells their pitch, are what `held_out` measures.
"""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.data.generators import read_aloud
from manus.guards.progress import progress
from manus.guards.run import RUN

if TYPE_CHECKING:
    import torch

    from manus.models.speech.codecs.mel import MelCodec

VERSION = 1
SENSE = "audio_output"
MODEL_TYPE = "manus_mel_codec"


@dataclass(frozen=True, slots=True)
class Effort:
    """How many sentences it is fitted to, and measured on; both voices read as many."""

    sentences: int = 600
    measured_sentences: int = 40


def identity() -> dict[str, Any]:
    """Return what else the codec depends on: the voices, and what they read."""
    return {"read_aloud": read_aloud.VERSION, "voices": list(read_aloud.Settings().voices)}


def train(seed: int, work: Path, effort: Effort = Effort()) -> tuple[MelCodec, None, dict[str, Any]]:
    """Fit the codec.

    Args:
        seed: of the sentences, the codebooks and the network that reads the pitch.
        work: unused: it takes a minute, and what is read aloud is cached, so it begins anew after a kill.
        effort: how much it hears.

    Returns:
        The codec, nothing that would prepare its sound, and how well it does on sentences it never heard.

    Raises:
        Interrupted: a signal came.
    """
    from manus.models.speech.codecs import mel

    heard = _read_aloud(effort.sentences, seed, held_out=False)
    RUN.cross("fitting the codec")
    codec = mel.fit(heard, seed)
    measured = _read_aloud(effort.measured_sentences, seed, held_out=True)
    held_out = {"log_mel_error": mel.round_trip_error(codec, measured), **mel.pitch_accuracy(codec, measured)}
    return codec, None, {"sentences": effort.sentences, "held_out": held_out}


def _read_aloud(count: int, seed: int, held_out: bool) -> list[torch.Tensor]:
    """Return sentences as the voices read them: [S] at 16 kHz."""
    import numpy as np
    import torch

    found = []
    with progress("read aloud", count, "sentences") as advance:
        for place, row in enumerate(read_aloud.rows(count, seed, held_out, read_aloud.Settings()), 1):
            RUN.cross("reading aloud")
            with wave.open(io.BytesIO(row["audio"]["bytes"])) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            found.append(torch.from_numpy(samples.astype(np.float32) / 32768))
            advance(place)
    return found
