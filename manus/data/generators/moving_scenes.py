"""Drawn clips of coloured shapes that move, appear and change, with questions. Synthetic: made by rule.

`level` is the kind of question; those that begin with `order: ` cannot be answered from a bag of frames:

- `order: direction`: where something moves: "left", "right", "up", "down"
- `order: first`: which of two things appears first: "red circle"
- `order: change`: the colour of something before or after it changes: "red"
- `order: colours`: which colour something has first or last, of several that it takes in turn: "red"
- `order: count`: how often something appears: "3"
- `colour`: the colour of what moves: "red"
- `shape`: the shape of what moves: "circle"
- `caption`: all of it: "a red circle moves left"

Certain pairs of colour and shape are never drawn nor named in training; every held-out row is about one of
them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from PIL import Image
from pydantic import Field, model_validator

from manus.data.forms.captions import ASKED_OF
from manus.data.generators._clips import mp4
from manus.data.generators._distinct import distinct_rows
from manus.data.generators._pictures import Turn, canvas, draw_shape, media_row
from manus.data.generators._things import Palette, Thing, pair, with_article

VERSION = 1
SAMPLE_KINDS = ("messages", "prompt")
STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
RADIUS = 0.16  # of the width
TRAVEL = 0.56

Kind = Literal[
    "order: direction",
    "order: first",
    "order: change",
    "order: colours",
    "order: count",
    "colour",
    "shape",
    "caption",
]
IN_TURN = "order: colours"
Point = tuple[float, float]
Drawn = list[tuple[Thing, Point]]
"""What one frame shows: things with their centres, as shares of the width."""
Asked = tuple[list[Drawn], str, str]


class Settings(Palette):
    """How the clips look, and what is asked."""

    seconds: float = Field(4.0, ge=1, le=30, description="Length of a clip.")
    fps: int = Field(
        4,
        ge=2,
        le=60,
        description="Frames a second; nothing shown lasts less than two frames at the defaults.",
    )
    colours_in_turn: int = Field(
        4,
        ge=2,
        le=8,
        description="So many colours something takes in turn, or as many as it has in this palette.",
    )
    questions: int = Field(
        1, ge=1, le=2, description="In training, so many questions about colours in turn in one conversation."
    )
    most_appearances: int = Field(3, ge=2, le=5, description="How often something appears at most.")
    kinds: Annotated[tuple[Kind, ...], Field(strict=False)] = Field(
        ("order: direction", "order: first", "order: change", "order: count", "colour", "shape"),
        min_length=1,
        description="Kinds of question, in turn; "
        "`order: colours` is the easiest of order, `caption` is for alignment.",
    )

    @model_validator(mode="after")
    def _appearances_can_be_told_apart(self) -> Self:
        if self.frames < 2 * self.most_appearances + 2:
            raise ValueError(
                f"{self.frames} frames are too few for {self.most_appearances} appearances; "
                "raise seconds or fps"
            )
        return self

    @property
    def frames(self) -> int:
        """The number of frames of a clip."""
        return round(self.seconds * self.fps)


def rows(count: int, seed: int, held_out: bool, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different questions about clips, the kinds in turn."""
    draw = random.Random(f"moving_scenes:{seed}:{held_out}")
    about, beside = settings.things(held_out), settings.things(False)

    def row(place: int) -> dict[str, Any]:
        kind = settings.kinds[place % len(settings.kinds)]
        before: list[Turn] = []
        if kind == IN_TURN:
            frames, turns = _colours_in_turn(draw, about, beside, settings)
            *before, (question, answer) = turns[-1:] if held_out else turns[-settings.questions :]
        else:
            frames, question, answer = ASK[kind](draw, about, beside, settings)
        clip = mp4([_painted(frame, settings) for frame in frames], settings.fps)
        return media_row("video", clip, question, answer, kind, before)

    return distinct_rows(row, count)


def _painted(frame: Drawn, settings: Settings) -> Image.Image:
    size = settings.size_pixels - settings.size_pixels % 2
    picture = canvas(size, settings.background)
    for thing, (x, y) in frame:
        draw_shape(picture, thing.shape, thing.colour, (x * size, y * size), RADIUS * size)
    return picture


def _path(draw: random.Random, settings: Settings) -> tuple[list[Point], str]:
    """Return the centres of something that moves straight, and where to."""
    direction = draw.choice(list(STEPS))
    dx, dy = STEPS[direction]
    x, y = (draw.uniform(0.25, 0.75) if not step else 0.5 - step * TRAVEL / 2 for step in (dx, dy))
    shares = [frame / (settings.frames - 1) * TRAVEL for frame in range(settings.frames)]
    return [(x + dx * share, y + dy * share) for share in shares], direction


def _moving(draw: random.Random, about: list[Thing], settings: Settings) -> tuple[Thing, list[Drawn], str]:
    thing = draw.choice(about)
    path, direction = _path(draw, settings)
    return thing, [[(thing, point)] for point in path], direction


def _direction(draw: random.Random, about: list[Thing], beside: list[Thing], settings: Settings) -> Asked:
    thing, frames, direction = _moving(draw, about, settings)
    return frames, f"Does the {thing} move left, right, up or down?", direction


def _colour(draw: random.Random, about: list[Thing], beside: list[Thing], settings: Settings) -> Asked:
    thing, frames, _ = _moving(draw, about, settings)
    return frames, f"What colour is the moving {thing.shape}?", thing.colour


def _shape(draw: random.Random, about: list[Thing], beside: list[Thing], settings: Settings) -> Asked:
    thing, frames, _ = _moving(draw, about, settings)
    return frames, f"What shape is the moving {thing.colour} thing?", thing.shape


def _caption(draw: random.Random, about: list[Thing], beside: list[Thing], settings: Settings) -> Asked:
    thing, frames, direction = _moving(draw, about, settings)
    return frames, ASKED_OF["video"], f"{with_article(thing)} moves {direction}"


def _still(draw: random.Random, count: int) -> list[Point]:
    """Return so many places that do not touch."""
    quarters = draw.sample([(x, y) for x in (0.25, 0.75) for y in (0.25, 0.75)], count)
    return [(x + draw.uniform(-0.08, 0.08), y + draw.uniform(-0.08, 0.08)) for x, y in quarters]


def _first(draw: random.Random, about: list[Thing], beside: list[Thing], settings: Settings) -> Asked:
    """Show two things one after the other, for as long each: only the order tells which came first."""
    first, second = pair(draw, about, beside)
    if draw.random() < 0.5:
        first, second = second, first
    places = dict(zip((first, second), _still(draw, 2), strict=True))
    half = settings.frames // 2
    shown = [first] * half + [second] * (settings.frames - half)
    named = [first, second] if draw.random() < 0.5 else [second, first]
    question = f"Which is shown first, the {named[0]} or the {named[1]}?"
    return [[(thing, places[thing])] for thing in shown], question, str(first)


def _change(draw: random.Random, about: list[Thing], beside: list[Thing], settings: Settings) -> Asked:
    """Show one shape in two colours, one after the other, for as long each."""
    pairs = [(one, other) for one in about for other in (*about, *beside) if _is_recoloured(one, other)]
    thing, other = draw.sample(draw.choice(pairs), 2)
    (place,), half = _still(draw, 1), settings.frames // 2
    frames: list[Drawn] = [[(thing, place)]] * half + [[(other, place)]] * (settings.frames - half)
    when, answer = draw.choice((("before", thing.colour), ("after", other.colour)))
    return frames, f"What colour is the {thing.shape} {when} it changes?", answer


def _is_recoloured(one: Thing, other: Thing) -> bool:
    return one.shape == other.shape and one.colour != other.colour


def _colours_in_turn(
    draw: random.Random, about: list[Thing], beside: list[Thing], settings: Settings
) -> tuple[list[Drawn], list[Turn]]:
    """Show one shape in several colours, for as long each; ask for first and last, one of `about` last."""
    alike = {thing: [other for other in beside if _is_recoloured(thing, other)] for thing in about}
    thing = draw.choice([thing for thing, others in alike.items() if others])
    others = draw.sample(alike[thing], min(settings.colours_in_turn - 1, len(alike[thing])))
    is_first = draw.random() < 0.5
    shown = [thing, *others] if is_first else [*others, thing]
    (place,) = _still(draw, 1)
    frames: list[Drawn] = [
        [(shown[number * len(shown) // settings.frames], place)] for number in range(settings.frames)
    ]
    turns = [
        (f"Which colour does the {thing.shape} have {when}?", one.colour)
        for when, one in (("first", shown[0]), ("last", shown[-1]))
    ]
    return frames, turns[::-1] if is_first else turns


def _count(draw: random.Random, about: list[Thing], beside: list[Thing], settings: Settings) -> Asked:
    """Show something several times, in half of the frames however often: only the order tells how often."""
    thing = draw.choice(about)
    (place,), many = _still(draw, 1), draw.randint(1, settings.most_appearances)
    shown = settings.frames // 2
    lengths = [shown // many + (number < shown % many) for number in range(many)]
    hidden = settings.frames - shown
    gaps = [hidden // (many + 1) + (number < hidden % (many + 1)) for number in range(many + 1)]
    frames: list[Drawn] = [[]] * gaps[0]
    for length, gap in zip(lengths, gaps[1:], strict=True):
        frames += [[(thing, place)]] * length + [[]] * gap
    return frames, f"How many times does the {thing} appear?", str(many)


ASK = {
    "order: direction": _direction,
    "order: first": _first,
    "order: change": _change,
    "order: count": _count,
    "colour": _colour,
    "shape": _shape,
    "caption": _caption,
}
