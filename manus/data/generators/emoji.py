"""Pictures of things (emoji) and questions about them. Pictures and names are real, questions made by rule.

`level` is the kind of question:

- `name`: the name: "polar bear"
- `choice`: which of four names: "polar bear"
- `yes or no`: whether it is what is named
- `category`: which of four kinds of thing: "animal"
- `group`: the same without naming any: "animal"
- `count`: how often one thing is shown among others: "3"
- `caption`: name and kind: "polar bear, an animal"

An emoji shown or named in held-out rows never is in training, whatever the seed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from PIL import Image
from pydantic import AfterValidator, Field

from manus.data.forms.captions import ASKED_OF
from manus.data.generators._distinct import distinct_rows
from manus.data.generators._emoji_package import CATEGORIES, Emoji, emoji
from manus.data.generators._pictures import canvas, image_row
from manus.data.generators._things import known_colour, with_article
from manus.settings.frozen import Frozen

VERSION = 1
SAMPLE_KINDS = ("messages", "prompt")
HELD_OUT_ONE_IN = 5
CHOICES = 4
GRID = 3

Kind = Literal["name", "choice", "yes or no", "category", "group", "count", "caption"]
Asked = tuple[list[Emoji], str, str]


class Settings(Frozen):
    """How the pictures look, and what is asked."""

    size_pixels: int = Field(64, ge=16, le=2048, description="Width and height of the picture.")
    background: Annotated[str, AfterValidator(known_colour)] = Field(
        "white", description="Colour of the background."
    )
    smallest: float = Field(
        0.7,
        gt=0.2,
        le=1,
        description="A single emoji fills at least this share of the width, and stands anywhere.",
    )
    most_objects: int = Field(4, ge=2, le=GRID * GRID, description="The largest number of things to count.")
    kinds: Annotated[tuple[Kind, ...], Field(strict=False)] = Field(
        ("choice", "yes or no", "category", "count"),
        min_length=1,
        description="Kinds of question, in turn; "
        "`name` asks for names never taught, `caption` is for alignment.",
    )


def rows(count: int, seed: int, held_out: bool, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different questions about pictures, the kinds in turn.

    Raises:
        DataError: the package with the pictures is not installed.
    """
    draw = random.Random(f"emoji:{seed}:{held_out}")
    by_category = {
        category: [one for one in of_side(held_out) if one.category == category] for category in CATEGORIES
    }

    def row(place: int) -> dict[str, Any]:
        kind = settings.kinds[place % len(settings.kinds)]
        shown, question, answer = ASK[kind](draw, by_category, settings)
        paint = _single if kind != "count" else _many
        return image_row(paint(draw, shown, settings), question, answer, kind)

    return distinct_rows(row, count)


def of_side(held_out: bool) -> list[Emoji]:
    """Return the emoji that only rows of one side show or name."""
    return [
        one
        for one in emoji()
        if (hashlib.sha256(one.code.encode()).digest()[0] % HELD_OUT_ONE_IN == 0) == held_out
    ]


def _single(draw: random.Random, shown: list[Emoji], settings: Settings) -> Image.Image:
    picture = canvas(settings.size_pixels, settings.background)
    size = round(settings.size_pixels * draw.uniform(settings.smallest, 1))
    _paste(
        picture,
        shown[0],
        size,
        (draw.randint(0, settings.size_pixels - size), draw.randint(0, settings.size_pixels - size)),
    )
    return picture


def _many(draw: random.Random, shown: list[Emoji], settings: Settings) -> Image.Image:
    picture = canvas(settings.size_pixels, settings.background)
    cell = settings.size_pixels // GRID
    cells = draw.sample([(column, row) for row in range(GRID) for column in range(GRID)], len(shown))
    for one, (column, row) in zip(shown, cells, strict=True):
        _paste(picture, one, cell, (column * cell, row * cell))
    return picture


def _paste(picture: Image.Image, one: Emoji, size: int, corner: tuple[int, int]) -> None:
    with Image.open(one.picture) as file:
        drawn = file.convert("RGBA").resize((size, size), Image.Resampling.BILINEAR)
    picture.paste(drawn, corner, drawn)


Groups = dict[str, list[Emoji]]


def _any(draw: random.Random, groups: Groups) -> Emoji:
    """Draw an emoji, every category as often as any other: the frequent ones are no better guess."""
    return draw.choice(groups[draw.choice(CATEGORIES)])


def _others(draw: random.Random, groups: Groups, one: Emoji, count: int) -> list[Emoji]:
    """Return different emoji that are not `one`."""
    found: list[Emoji] = []
    while len(found) < count:
        other = _any(draw, groups)
        if other != one and other not in found:
            found.append(other)
    return found


def _name(draw: random.Random, groups: Groups, settings: Settings) -> Asked:
    one = _any(draw, groups)
    return [one], "What is this?", one.name


def _choice(draw: random.Random, groups: Groups, settings: Settings) -> Asked:
    one = _any(draw, groups)
    names = [one.name, *(other.name for other in _others(draw, groups, one, CHOICES - 1))]
    draw.shuffle(names)
    return [one], f"What is this: {', '.join(names[:-1])} or {names[-1]}?", one.name


def _yes_or_no(draw: random.Random, groups: Groups, settings: Settings) -> Asked:
    one = _any(draw, groups)
    there = draw.random() < 0.5
    named = one if there else _others(draw, groups, one, 1)[0]
    return [one], f"Is this {with_article(named.name)}?", "yes" if there else "no"


def _category(draw: random.Random, groups: Groups, settings: Settings) -> Asked:
    one = _any(draw, groups)
    kinds = [one.category, *draw.sample([name for name in CATEGORIES if name != one.category], CHOICES - 1)]
    draw.shuffle(kinds)
    return [one], f"What kind of thing is this: {', '.join(kinds[:-1])} or {kinds[-1]}?", one.category


def _group(draw: random.Random, groups: Groups, settings: Settings) -> Asked:
    one = _any(draw, groups)
    return [one], "What kind of thing is this?", one.category


def _count(draw: random.Random, groups: Groups, settings: Settings) -> Asked:
    one = _any(draw, groups)
    many = draw.randint(1, settings.most_objects)
    beside = _others(draw, groups, one, draw.randint(0, settings.most_objects - many))
    return [one] * many + beside, f"How many times is there {with_article(one.name)}?", str(many)


def _caption(draw: random.Random, groups: Groups, settings: Settings) -> Asked:
    one = _any(draw, groups)
    return (
        [one],
        ASKED_OF["image"],
        f"{one.name}, {KIND_OF_THING.get(one.category, with_article(one.category))}",
    )


KIND_OF_THING = {"food": "food", "clothing": "clothing"}
ASK = {
    "name": _name,
    "choice": _choice,
    "yes or no": _yes_or_no,
    "category": _category,
    "group": _group,
    "count": _count,
    "caption": _caption,
}
