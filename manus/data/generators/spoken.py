"""Sentences spoken by synthetic voices: transcripts and spoken questions. Synthetic: voices and words.

`level` is the kind of question:

- `transcript`: what is said, word for word
- `word`: which of two words is said: "doctor"
- `sum`: the answer to a sum asked aloud: "7"
- `who`, `deed`, `character`: the noun, the verb or the adjective of a short sentence: "doctor", "sings",
  "old"

Training and held-out rows share words and the way sentences are built, never a sentence or a sum: which of
the two one belongs to is decided by its digest. Both voices speak on both sides. What is spoken is cached
(`manus.data.generators._speech`).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from manus.data.forms.captions import ASKED_OF
from manus.data.generators._distinct import distinct_rows
from manus.data.generators._pictures import Turn, media_row
from manus.data.generators._speech import Voice, spoken
from manus.settings.frozen import Frozen

VERSION = 1
SAMPLE_KINDS = ("messages", "prompt")
HELD_OUT_ONE_IN = 5
SPEED_STEPS = 8

ADJECTIVES = ("old", "young", "happy", "tired", "clever", "quiet", "brave", "hungry", "lazy", "polite")
NOUNS = ("captain", "doctor", "teacher", "farmer", "painter", "soldier", "singer", "baker", "spider",
         "rabbit", "tiger", "monkey", "robot", "lawyer", "sailor", "driver")  # fmt: skip
VERBS = ("sings", "sleeps", "waits", "dances", "works", "laughs", "reads", "runs", "cooks", "hides")
PLACES = (
    "in the garden",
    "near the river",
    "under the bridge",
    "at the station",
    "behind the house",
    "on the roof",
    "in the kitchen",
    "by the window",
    "in the forest",
    "at the market",
)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

Kind = Literal["transcript", "word", "sum", "who", "deed", "character"]
PARTS: dict[str, str] = {
    "who": "Who is spoken of?",
    "deed": "What does the speaker say they do?",
    "character": "What are they like?",
}


class Settings(Frozen):
    """Who speaks, how fast, and what is asked."""

    kinds: Annotated[tuple[Kind, ...], Field(strict=False)] = Field(
        ("transcript", "word", "sum"), min_length=1, description="Kinds of question, in turn."
    )
    voices: Annotated[tuple[Voice, ...], Field(strict=False)] = Field(
        ("heart", "joe"), min_length=1, description="Synthetic voices, one drawn for each row."
    )
    slowest: float = Field(
        0.9, ge=0.5, le=2, description="The slowest speed of speech; 1 is the voice's own."
    )
    fastest: float = Field(1.1, ge=0.5, le=2, description="The fastest.")
    questions: int = Field(
        1,
        ge=1,
        le=len(PARTS),
        description="In training, so many questions about the parts of a short sentence in one conversation.",
    )
    rate_hertz: int = Field(16000, ge=8000, le=48000, description="Samples a second of the sound files.")

    @model_validator(mode="after")
    def _slow_is_below_fast(self) -> Self:
        if self.slowest > self.fastest:
            raise ValueError("slowest is above fastest")
        return self


def rows(count: int, seed: int, held_out: bool, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different spoken sentences and what is asked about them, the kinds in turn.

    Raises:
        DataError: a voice is not installed.
    """
    draw = random.Random(f"spoken:{seed}:{held_out}")

    def row(place: int) -> dict[str, Any]:
        kind = settings.kinds[place % len(settings.kinds)]
        before: list[Turn] = []
        if kind in PARTS:
            sentence, said = _short_sentence(draw, held_out)
            others = draw.sample(
                [part for part in PARTS if part != kind], 0 if held_out else settings.questions - 1
            )
            before = [(PARTS[part], said[part]) for part in others]
            question, answer = PARTS[kind], said[kind]
        else:
            sentence, question, answer = ASK[kind](draw, held_out)
        step = draw.randint(0, SPEED_STEPS) / SPEED_STEPS
        speed = round(settings.slowest + step * (settings.fastest - settings.slowest), 3)
        sound = spoken(sentence, draw.choice(settings.voices), speed, settings.rate_hertz)
        return media_row("audio", sound, question, answer, kind, before)

    return distinct_rows(row, count)


def sentence_of(draw: random.Random, held_out: bool) -> str:
    """Return a sentence of one side."""
    return _sentence(draw, held_out)[0]


def sum_of(draw: random.Random, held_out: bool) -> str:
    """Return a sum of one side, as it is asked aloud."""
    return _sum(draw, held_out)[0]


def _is_held_out(said: str) -> bool:
    return hashlib.sha256(said.encode()).digest()[0] % HELD_OUT_ONE_IN == 0


def _sentence(draw: random.Random, held_out: bool) -> tuple[str, str]:
    """Return a sentence of one side, and its noun."""
    while True:
        noun = draw.choice(NOUNS)
        sentence = f"The {draw.choice(ADJECTIVES)} {noun} {draw.choice(VERBS)} {draw.choice(PLACES)}."
        if _is_held_out(sentence) == held_out:
            return sentence, noun


def _short_sentence(draw: random.Random, held_out: bool) -> tuple[str, dict[str, str]]:
    """Return a sentence of one side that says no place, and its parts."""
    while True:
        said = {"character": draw.choice(ADJECTIVES), "who": draw.choice(NOUNS), "deed": draw.choice(VERBS)}
        sentence = f"The {' '.join(said.values())}."
        if _is_held_out(sentence) == held_out:
            return sentence, said


def _transcript(draw: random.Random, held_out: bool) -> tuple[str, str, str]:
    sentence, _ = _sentence(draw, held_out)
    return sentence, ASKED_OF["audio"], sentence


def _word(draw: random.Random, held_out: bool) -> tuple[str, str, str]:
    sentence, noun = _sentence(draw, held_out)
    words = [noun, draw.choice([other for other in NOUNS if other != noun])]
    draw.shuffle(words)
    return sentence, f"Which word is said, {words[0]} or {words[1]}?", noun


def _sum(draw: random.Random, held_out: bool) -> tuple[str, str, str]:
    """Return a sum of two digits; 3 plus 4 and 4 plus 3 are on the same side."""
    while True:
        low, high = sorted(draw.choices(range(len(NUMBERS)), k=2))
        sign = draw.choice(("plus", "minus"))
        if _is_held_out(f"{low} {sign} {high}") == held_out:
            break
    first, second = (high, low) if sign == "minus" or draw.random() < 0.5 else (low, high)
    answer = first + second if sign == "plus" else first - second
    return f"What is {NUMBERS[first]} {sign} {NUMBERS[second]}?", "Answer what is asked aloud.", str(answer)


ASK = {"transcript": _transcript, "word": _word, "sum": _sum}
