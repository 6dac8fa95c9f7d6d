"""Draws coloured shapes and packs pictures into rows. Knows nothing of what is asked about them."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageColor, ImageDraw

SHAPES = ("circle", "square", "triangle", "star", "diamond", "cross")
Colour = tuple[int, int, int]
Turn = tuple[str, str]
"""A question and its answer."""


def rgb(colour: str) -> Colour:
    """Return the colour of a name or of `#rrggbb`, as Pillow knows it.

    Raises:
        ValueError: it is no colour.
    """
    red, green, blue, *_ = ImageColor.getrgb(colour)
    return red, green, blue


def canvas(size_pixels: int, background: str) -> Image.Image:
    """Return an empty square picture."""
    return Image.new("RGB", (size_pixels, size_pixels), rgb(background))


def draw_shape(
    picture: Image.Image, shape: str, colour: str, centre: tuple[float, float], radius: float
) -> None:
    """Draw a filled shape that fits into a circle of `radius` pixels around `centre`."""
    x, y = centre
    pen, fill = ImageDraw.Draw(picture), rgb(colour)
    if shape == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    elif shape == "cross":
        arm = radius / 3
        pen.rectangle((x - radius, y - arm, x + radius, y + arm), fill=fill)
        pen.rectangle((x - arm, y - radius, x + arm, y + radius), fill=fill)
    else:
        pen.polygon([(x + radius * dx, y + radius * dy) for dx, dy in _corners(shape)], fill=fill)


def _corners(shape: str) -> list[tuple[float, float]]:
    def around(count: int, start_degrees: float, inner: float = 1.0) -> list[tuple[float, float]]:
        angles = [math.radians(start_degrees + 360 * step / count) for step in range(count)]
        reach = [inner if step % 2 else 1.0 for step in range(count)]
        return [(r * math.cos(angle), r * math.sin(angle)) for r, angle in zip(reach, angles, strict=True)]

    return {
        "square": around(4, 45),
        "diamond": around(4, 90),
        "triangle": around(3, 270),
        "star": around(10, 270, inner=0.4),
    }[shape]


def png(picture: Image.Image) -> bytes:
    """Return the picture as a PNG file."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def image_row(
    picture: Image.Image, question: str, answer: str, level: str, before: Sequence[Turn] = ()
) -> dict[str, Any]:
    """Return a row that asks something about a picture."""
    return media_row("image", png(picture), question, answer, level, before)


def media_row(
    kind: str, data: bytes, question: str, answer: str, level: str, before: Sequence[Turn] = ()
) -> dict[str, Any]:
    """Return a row in the shape of transformers' chat templates that asks something about a medium.

    Args:
        kind: image, video or audio.
        data: the medium as an encoded file.
        question: what is asked last, and `answer` what is right.
        answer: see `question`.
        level: the kind of question.
        before: what is asked about the medium, and answered, before that.
    """
    messages: list[dict[str, Any]] = []
    for asked, said in (*before, (question, answer)):
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    messages[0]["content"] = [
        {"type": kind, kind: {"bytes": data}},
        {"type": "text", "text": messages[0]["content"]},
    ]
    return {"messages": messages, "answer": answer, "level": level}
