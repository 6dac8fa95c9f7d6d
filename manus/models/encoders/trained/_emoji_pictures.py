"""Shows emoji in many ways: sizes, places, tilts, backgrounds, tints. Needs no torch.

What the generator `emoji` holds out is shown only where it is asked for, and then as it is.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from manus.data.generators._emoji_package import CATEGORIES, Emoji
from manus.data.generators.emoji import of_side as of_side
from manus.models.encoders.trained._labelled import SIZE_PIXELS

SMALLEST_PIXELS = 40
MOST_TILT_DEGREES = 25
WHITE_SHARE = 0.7  # of the backgrounds; the others have any colour
TINT = 0.2  # each channel is up to so much brighter or darker


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture, uint8 [64, 64, 3], and the number of its kind of thing."""

    pixels: np.ndarray
    kind: int


def some(draw: random.Random, count: int) -> list[Shown]:
    """Show some emoji of training, every kind as often as any other."""
    return [_varied(draw, draw.choice(draw.choice(_by_kind()))) for _ in range(count)]


def every(held_out: bool) -> list[Shown]:
    """Show all emoji of one side, large, upright and on white."""
    return [
        Shown(_pasted(_picture(one), SIZE_PIXELS, (0, 0), (255, 255, 255)), CATEGORIES.index(one.category))
        for one in of_side(held_out)
    ]


@functools.cache
def _by_kind() -> list[list[Emoji]]:
    return [[one for one in of_side(False) if one.category == category] for category in CATEGORIES]


@functools.cache
def _picture(one: Emoji) -> Image.Image:
    with Image.open(one.picture) as file:
        return file.convert("RGBA")


def _varied(draw: random.Random, one: Emoji) -> Shown:
    picture = _picture(one)
    if draw.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = picture.rotate(draw.uniform(-MOST_TILT_DEGREES, MOST_TILT_DEGREES), Image.Resampling.BILINEAR)
    size = draw.randint(SMALLEST_PIXELS, SIZE_PIXELS)
    corner = draw.randint(0, SIZE_PIXELS - size), draw.randint(0, SIZE_PIXELS - size)
    is_white = draw.random() < WHITE_SHARE
    background = (
        (255, 255, 255) if is_white else (draw.randrange(256), draw.randrange(256), draw.randrange(256))
    )
    tint = np.array([draw.uniform(1 - TINT, 1 + TINT) for _ in range(3)])
    pixels = np.clip(_pasted(picture, size, corner, background) * tint, 0, 255).astype(np.uint8)
    return Shown(pixels, CATEGORIES.index(one.category))


def _pasted(
    picture: Image.Image, size: int, corner: tuple[int, int], background: tuple[int, int, int]
) -> np.ndarray:
    canvas = Image.new("RGB", (SIZE_PIXELS, SIZE_PIXELS), background)
    drawn = picture.resize((size, size), Image.Resampling.BILINEAR)
    canvas.paste(drawn, corner, drawn)
    return np.asarray(canvas)
