"""Drawn pictures of coloured shapes on a grid, and questions about them. Synthetic: made by rule.

`level` is the kind of question:

- `colour`: the colour of a shape: "red"
- `shape`: the shape of a colour: "circle"
- `place`: where on the grid something is: "top left"
- `relation`: on which side of another thing: "left", "right", "above", "below"
- `count`: how many there are of a colour, a shape, or in all: "3"
- `yes or no`: whether something is there
- `caption`: all that is there: "a red circle left of a blue square"

Certain pairs of colour and shape are never drawn nor named in training; every held-out row is about one of
them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from PIL import Image
from pydantic import Field

from manus.data.forms.captions import ASKED_OF
from manus.data.generators._distinct import distinct_rows
from manus.data.generators._pictures import SHAPES, Turn, canvas, draw_shape, image_row
from manus.data.generators._things import Palette, Thing, pair, plural, with_article, without_repeats

VERSION = 1
SAMPLE_KINDS = ("messages", "prompt")
GRID = 3
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "middle", "right")

Kind = Literal["colour", "shape", "place", "relation", "count", "yes or no", "caption"]
Cell = tuple[int, int]


class Settings(Palette):
    """How the pictures look, and what is asked."""

    most_objects: int = Field(
        4, ge=2, le=GRID * GRID, description="The largest number of things in a picture."
    )
    kinds: Annotated[tuple[Kind, ...], Field(strict=False)] = Field(
        ("colour", "shape", "place", "relation", "count", "yes or no"),
        min_length=1,
        description="Kinds of question, in turn; `caption` is for the alignment of a sense.",
    )
    questions: int = Field(
        1,
        ge=1,
        le=len(SHAPES),
        description="In training, up to so many questions about one picture in one conversation: "
        "`colour` and `shape` ask for other things in it, too.",
    )


@dataclass(frozen=True, slots=True)
class Sides:
    """The pairs that the rows of one side are about, and those that may stand beside them."""

    about: list[Thing]
    beside: list[Thing]


@dataclass(frozen=True, slots=True)
class Placed:
    """A thing in a cell of the grid (column, row)."""

    thing: Thing
    cell: Cell


def rows(count: int, seed: int, held_out: bool, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different questions about pictures, the kinds in turn."""
    draw = random.Random(f"scenes:{seed}:{held_out}")
    sides = Sides(settings.things(held_out), settings.things(False))

    def row(place: int) -> dict[str, Any]:
        kind = settings.kinds[place % len(settings.kinds)]
        scene, question, answer = ASK[kind](draw, sides, settings)
        before = (
            [] if held_out or kind not in ALSO else _about_others(draw, scene, kind, settings.questions - 1)
        )
        return image_row(painted(draw, scene, settings), question, answer, kind, before)

    return distinct_rows(row, count)


def painted(draw: random.Random, scene: list[Placed], settings: Settings) -> Image.Image:
    """Return the picture of a scene; size and place within a cell vary."""
    picture, cell = canvas(settings.size_pixels, settings.background), settings.size_pixels / GRID
    for placed in scene:
        radius = cell * draw.uniform(0.32, 0.44)
        slack = cell / 2 - radius
        centre = tuple(cell * (at + 0.5) + draw.uniform(-slack, slack) for at in placed.cell)
        draw_shape(picture, placed.thing.shape, placed.thing.colour, (centre[0], centre[1]), radius)
    return picture


def _placed(draw: random.Random, things: list[Thing]) -> list[Placed]:
    cells = draw.sample([(column, row) for row in range(GRID) for column in range(GRID)], len(things))
    return [Placed(thing, cell) for thing, cell in zip(things, cells, strict=True)]


def _scene(draw: random.Random, sides: Sides, settings: Settings) -> list[Placed]:
    """Return a scene in which no colour and no shape comes twice; what it is about stands first."""
    many = draw.randint(1, settings.most_objects)
    return _placed(draw, without_repeats(draw, sides.beside, many, draw.choice(sides.about)))


def _colour(draw: random.Random, sides: Sides, settings: Settings) -> tuple[list[Placed], str, str]:
    scene = _scene(draw, sides, settings)
    thing = scene[0].thing
    wording = draw.choice(("What colour is the {}?", "Which colour does the {} have?"))
    return scene, wording.format(thing.shape), thing.colour


def _shape(draw: random.Random, sides: Sides, settings: Settings) -> tuple[list[Placed], str, str]:
    scene = _scene(draw, sides, settings)
    thing = scene[0].thing
    return (
        scene,
        draw.choice(("What shape is the {} thing?", "Which shape is {}?")).format(thing.colour),
        thing.shape,
    )


def _about_others(draw: random.Random, scene: list[Placed], kind: Kind, most: int) -> list[Turn]:
    """Return what is asked of other things than the first, which no earlier answer tells."""
    turns = [ALSO[kind](placed.thing) for placed in scene[1:]]
    return draw.sample(turns, min(most, len(turns)))


def _place(draw: random.Random, sides: Sides, settings: Settings) -> tuple[list[Placed], str, str]:
    scene = _scene(draw, sides, settings)
    column, row = scene[0].cell
    answer = "middle" if (column, row) == (1, 1) else f"{ROWS[row]} {COLUMNS[column]}"
    return scene, f"Where in the picture is the {scene[0].thing}?", answer


def _relation(draw: random.Random, sides: Sides, settings: Settings) -> tuple[list[Placed], str, str]:
    scene, answer = _pair(draw, sides)
    first, second = scene
    return scene, f"Is the {first.thing} left, right, above or below the {second.thing}?", answer


def _pair(draw: random.Random, sides: Sides) -> tuple[list[Placed], str]:
    """Return two things in one row or one column, and on which side of the second the first is."""
    things = pair(draw, sides.about, sides.beside)
    low, high = sorted(draw.sample(range(GRID), 2))
    across = draw.randrange(GRID)
    answer = draw.choice(("left", "right", "above", "below"))
    along = (low, high) if answer in ("left", "above") else (high, low)
    cells = [(at, across) if answer in ("left", "right") else (across, at) for at in along]
    return [Placed(thing, cell) for thing, cell in zip(things, cells, strict=True)], answer


def _count(draw: random.Random, sides: Sides, settings: Settings) -> tuple[list[Placed], str, str]:
    """Count things that share a colour, a shape or nothing, among others that do not."""
    first = draw.choice(sides.about)
    what = draw.choice(("colour", "shape", "all"))
    if what == "all":
        many = draw.randint(1, settings.most_objects)
        others = [draw.choice(sides.beside) for _ in range(many - 1)]
        return _placed(draw, [first, *others]), "How many things are in the picture?", str(many)
    wanted = getattr(first, what)
    alike = [first, *(thing for thing in sides.beside if getattr(thing, what) == wanted)]
    unlike = [thing for thing in sides.beside if getattr(thing, what) != wanted]
    many = draw.randint(1, settings.most_objects)
    more = [draw.choice(alike) for _ in range(many - 1)]
    rest = [draw.choice(unlike) for _ in range(draw.randint(0, settings.most_objects - many))]
    named = plural(wanted) if what == "shape" else f"{wanted} things"
    return _placed(draw, [first, *more, *rest]), f"How many {named} are in the picture?", str(many)


def _yes_or_no(draw: random.Random, sides: Sides, settings: Settings) -> tuple[list[Placed], str, str]:
    """Ask for what is there, or for what is not though its colour or its shape may be."""
    scene = _scene(draw, sides, settings)
    there = draw.random() < 0.5
    shown = {placed.thing for placed in scene}
    thing = scene[0].thing if there else draw.choice([t for t in sides.about if t not in shown])
    return scene, f"Is there {with_article(thing)} in the picture?", "yes" if there else "no"


def _caption(draw: random.Random, sides: Sides, settings: Settings) -> tuple[list[Placed], str, str]:
    scene, side = _pair(draw, sides)
    first, second = (with_article(placed.thing) for placed in scene)
    where = f"{side} of" if side in ("left", "right") else side
    return scene, ASKED_OF["image"], f"{first} {where} {second}"


ALSO: dict[str, Callable[[Thing], Turn]] = {
    "colour": lambda thing: (f"What colour is the {thing.shape}?", thing.colour),
    "shape": lambda thing: (f"What shape is the {thing.colour} thing?", thing.shape),
}
ASK = {
    "colour": _colour,
    "shape": _shape,
    "place": _place,
    "relation": _relation,
    "count": _count,
    "yes or no": _yes_or_no,
    "caption": _caption,
}
