"""Coloured shapes as things to speak of, and which pairs of colour and shape are held out. Draws no pixel."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from manus.data.generators._pictures import SHAPES, rgb
from manus.settings.frozen import Frozen

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "white")


def known_colour(name: str) -> str:
    """Return the name of a colour, for settings.

    Raises:
        ValueError: it is no colour.
    """
    rgb(name)
    return name


def _known_shape(name: str) -> str:
    if name not in SHAPES:
        raise ValueError(f"no shape {name!r}; there are {', '.join(SHAPES)}")
    return name


class Thing(NamedTuple):
    """A shape in a colour."""

    colour: str
    shape: str

    def __str__(self) -> str:
        return f"{self.colour} {self.shape}"


class Palette(Frozen):
    """What things look like, for every world of shapes."""

    size_pixels: int = Field(64, ge=16, le=2048, description="Width and height of the picture.")
    colours: Annotated[tuple[Annotated[str, AfterValidator(known_colour)], ...], Field(strict=False)] = Field(
        COLOURS, min_length=3, description="Colours by name (or #rrggbb) as Pillow knows them."
    )
    shapes: Annotated[tuple[Annotated[str, AfterValidator(_known_shape)], ...], Field(strict=False)] = Field(
        SHAPES[:4], min_length=2, description=f"Some of {', '.join(SHAPES)}."
    )
    background: Annotated[str, AfterValidator(known_colour)] = Field(
        "black", description="Colour of the background."
    )

    @model_validator(mode="after")
    def _things_can_be_told_apart(self) -> Self:
        painted = [rgb(colour) for colour in (*self.colours, self.background)]
        if len(set(painted)) < len(painted):
            raise ValueError("colours and background must all differ")
        if len(set(self.shapes)) < len(self.shapes):
            raise ValueError("a shape is named twice")
        return self

    def things(self, held_out: bool) -> list[Thing]:
        """Return the pairs of colour and shape that only one side shows.

        Every colour lacks one shape in training, and every shape some colours: what is asked of a held-out
        pair can be answered by who has learned colours and shapes apart.
        """
        return [
            Thing(colour, shape)
            for row, colour in enumerate(self.colours)
            for column, shape in enumerate(self.shapes)
            if ((row + column) % len(self.shapes) == 0) == held_out
        ]


def without_repeats(draw: random.Random, things: Sequence[Thing], count: int, first: Thing) -> list[Thing]:
    """Return `first` and up to `count` - 1 more, of which no two share a colour or a shape."""
    chosen = [first]
    for thing in draw.sample(things, len(things)):
        if len(chosen) == count:
            break
        if all(thing.colour != other.colour and thing.shape != other.shape for other in chosen):
            chosen.append(thing)
    return chosen


def pair(draw: random.Random, about: Sequence[Thing], beside: Sequence[Thing]) -> list[Thing]:
    """Return a thing to ask about and one of another colour."""
    first = draw.choice(about)
    return [first, draw.choice([thing for thing in beside if thing.colour != first.colour])]


def plural(noun: str) -> str:
    """Return the plural of a noun."""
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def with_article(thing: object) -> str:
    """Return a thing with `a` or `an` before it."""
    words = str(thing)
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
