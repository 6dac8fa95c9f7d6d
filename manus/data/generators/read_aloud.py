"""Sentences read aloud by synthetic voices, for a talker to learn from. Synthetic: voices and words.

Rows are transcribed speech: `audio`, `text` and `speaker`. Three of four are short statements, the others
sums asked aloud: "The old captain sings in the garden.", "What is three plus four?"

Training and held-out rows share words and the way sentences are built, never a sentence or a sum: which of
the two one belongs to is decided by its digest, as in `spoken`. The voices speak in turn, on both sides; each
has sentences of its own. What is spoken is cached (`manus.data.generators._speech`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from manus.data.generators._distinct import distinct_rows
from manus.data.generators._speech import Voice, spoken
from manus.data.generators.spoken import sentence_of, sum_of
from manus.settings.frozen import Frozen

VERSION = 1
SAMPLE_KINDS = ("speech",)
SUMS_SHARE = 0.25


class Settings(Frozen):
    """Who reads, and how fast."""

    voices: Annotated[tuple[Voice, ...], Field(strict=False)] = Field(
        ("heart", "joe"), min_length=1, description="Synthetic voices, which read in turn."
    )
    speed: float = Field(1.0, ge=0.5, le=2, description="How fast they read; 1 is the voice's own speed.")
    rate_hertz: int = Field(16000, ge=8000, le=48000, description="Samples a second of the sound files.")


def rows(count: int, seed: int, held_out: bool, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different sentences, each read aloud by one voice, the voices in turn.

    Raises:
        DataError: a voice is not installed.
    """
    draw = random.Random(f"read aloud:{seed}:{held_out}")

    def row(place: int) -> dict[str, Any]:
        text = (sum_of if draw.random() < SUMS_SHARE else sentence_of)(draw, held_out)
        voice = settings.voices[place % len(settings.voices)]
        sound = spoken(text, voice, settings.speed, settings.rate_hertz)
        return {"audio": {"bytes": sound}, "text": text, "speaker": voice}

    return distinct_rows(row, count)
