"""Draws pictures of coloured shapes with what stands on each patch of them. Needs no torch.

Sizes, places and backgrounds vary more than in the generator `scenes`, so that what learns from them is not
bound to its settings; pairs of colour and shape that the generator holds out are never drawn unless they are
asked for.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from manus.data.generators._pictures import SHAPES, Colour, draw_shape, rgb
from manus.data.generators._things import COLOURS, Palette, Thing

SIZE_PIXELS, PATCH_PIXELS = 64, 8
GRID = SIZE_PIXELS // PATCH_PIXELS
SPOT_PIXELS = 2
SPOTS_AROUND = (3 * PATCH_PIXELS // SPOT_PIXELS) ** 2
MOST_THINGS = 6
RADIUS_PIXELS = (6.0, 11.0)
SHADE = 18  # a named colour varies by so much in each channel
LEAST_CONTRAST = 110.0  # between a background and everything on it, as a distance in RGB
OTHER_SHARE = 0.6  # of things in colours without a name here, in which every shape is drawn
LEAST_OTHERNESS = 75.0  # of such a colour from all that have a name
UNNAMED = -100  # such a colour's label: nothing is learned from it
LEAST_COVER = 0.12  # of a patch, for it to hold a thing
TRIES = 20
SCALES = (1, 1, 2, 3)  # larger pictures are made smaller, as a user's are

HELD_OUT = tuple(Palette().things(True))
SEEN = tuple(
    Thing(colour, shape) for colour in COLOURS for shape in SHAPES if (colour, shape) not in HELD_OUT
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture and, patch by patch in rows, what is there: 0 for none, else colour (or UNNAMED) and shape.

    `towards` is the way from a patch's centre to its thing's, in patches; `around` how much of each spot in
    and around the patch, three patches wide and high, things cover.
    """

    picture: Image.Image
    colours: np.ndarray
    shapes: np.ndarray
    towards: np.ndarray
    around: np.ndarray


@dataclass(frozen=True, slots=True)
class _Standing:
    colour: int
    shape: str
    shade: Colour
    x: float
    y: float
    radius: float


def labelled(draw: random.Random, things: Sequence[Thing], other_share: float = OTHER_SHARE) -> Labelled:
    """Draw some of these things, none hiding another, and among them some in colours without a name."""
    standing = _standing(draw, things, other_share)
    scale = draw.choice(SCALES)
    picture = Image.new("RGB", (SIZE_PIXELS * scale, SIZE_PIXELS * scale), _background(draw, standing))
    for each in standing:
        colour = "#{:02x}{:02x}{:02x}".format(*each.shade)
        draw_shape(picture, each.shape, colour, (each.x * scale, each.y * scale), each.radius * scale)
    if scale > 1:
        picture = picture.resize((SIZE_PIXELS, SIZE_PIXELS), Image.Resampling.BICUBIC)
    return _with_labels(picture, standing)


def _standing(draw: random.Random, things: Sequence[Thing], other_share: float) -> list[_Standing]:
    found: list[_Standing] = []
    wanted = draw.randint(1, MOST_THINGS)
    for _ in range(TRIES):
        radius = draw.uniform(*RADIUS_PIXELS)
        x, y = (draw.uniform(radius, SIZE_PIXELS - radius) for _ in range(2))
        if all(math.hypot(x - other.x, y - other.y) > radius + other.radius for other in found):
            colour, shape, shade = _looks(draw, things, other_share)
            found.append(_Standing(colour, shape, shade, x, y, radius))
        if len(found) == wanted:
            break
    return found


def _looks(draw: random.Random, things: Sequence[Thing], other_share: float) -> tuple[int, str, Colour]:
    """Return a thing's colour as a label, its shape, and the very shade of it."""
    if draw.random() < other_share:
        for _ in range(TRIES):
            shade = _any_colour(draw)
            if all(math.dist(shade, rgb(name)) > LEAST_OTHERNESS for name in (*COLOURS, "black")):
                return UNNAMED, draw.choice(SHAPES), shade
    thing = draw.choice(things)
    return 1 + COLOURS.index(thing.colour), thing.shape, _shade(draw, thing.colour)


def _any_colour(draw: random.Random) -> Colour:
    return draw.randrange(256), draw.randrange(256), draw.randrange(256)


def _shade(draw: random.Random, colour: str) -> Colour:
    red, green, blue = (min(255, max(0, part + draw.randint(-SHADE, SHADE))) for part in rgb(colour))
    return red, green, blue


def _background(draw: random.Random, standing: Sequence[_Standing]) -> Colour:
    """Return black, or a colour that all things stand out from."""
    if draw.random() < 0.5:
        return 0, 0, 0
    for _ in range(TRIES):
        colour = _any_colour(draw)
        if all(math.dist(colour, each.shade) > LEAST_CONTRAST for each in standing):
            return colour
    return 0, 0, 0


def _with_labels(picture: Image.Image, standing: Sequence[_Standing]) -> Labelled:
    """Label each patch with the thing that covers the most of it, if that is enough to be seen."""
    colours, shapes = np.zeros((2, GRID, GRID), dtype=np.int64)
    towards = np.zeros((GRID, GRID, 2), dtype=np.float32)
    most = np.full((GRID, GRID), LEAST_COVER)
    covered = np.zeros((SIZE_PIXELS, SIZE_PIXELS), dtype=np.float32)
    middles = (np.arange(GRID) + 0.5) * PATCH_PIXELS
    for each in standing:
        mask = Image.new("RGB", (SIZE_PIXELS, SIZE_PIXELS))
        draw_shape(mask, each.shape, "white", (each.x, each.y), each.radius)
        shown = np.asarray(mask.getchannel(0)) / np.float32(255)
        covered = np.maximum(covered, shown)
        cover = shown.reshape(GRID, PATCH_PIXELS, GRID, PATCH_PIXELS).mean((1, 3))
        here = cover >= most
        most[here] = cover[here]
        colours[here], shapes[here] = each.colour, 1 + SHAPES.index(each.shape)
        dx, dy = np.meshgrid(each.x - middles, each.y - middles)
        towards[here] = np.stack([dx, dy], axis=-1)[here] / PATCH_PIXELS
    return Labelled(
        picture, colours.reshape(-1), shapes.reshape(-1), towards.reshape(-1, 2), _around(covered)
    )


def _around(covered: np.ndarray) -> np.ndarray:
    """Return, for each patch, the spots of the three patches by three of which it is the middle one."""
    spots = SIZE_PIXELS // SPOT_PIXELS
    small = covered.reshape(spots, SPOT_PIXELS, spots, SPOT_PIXELS).mean((1, 3))
    side = PATCH_PIXELS // SPOT_PIXELS
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(small, side), (3 * side, 3 * side))
    return windows[::side, ::side].reshape(GRID * GRID, SPOTS_AROUND)
