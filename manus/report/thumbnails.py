"""Draws small pictures of a stage's media for its report: a thumbnail, a strip of frames, a waveform.

Knows nothing of models or HTML.
"""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from manus.data.media.files import MediaFiles, has_media

if TYPE_CHECKING:
    from PIL import Image

    from manus.data.media.sound import Waves

SIDE_PIXELS, STRIP_PIXELS = 160, 96
STRIP_FRAMES, GAP_PIXELS = 6, 2
WAVE_PIXELS = (320, 64)
PAPER, INK = (244, 244, 246), (70, 90, 160)
JPEG_QUALITY = 72


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture of a medium as a data URI, and in words what it shows."""

    uri: str
    words: str
    width: int
    height: int


def thumbnails(folder: Path, numbers: Iterable[int]) -> dict[int, Thumbnail]:
    """Return small pictures of the media of prepared data, by their numbers.

    Raises:
        OSError: the data are damaged.
    """
    wanted = sorted(set(numbers))
    if not wanted or not has_media(folder):
        return {}
    media = MediaFiles(folder)
    return {number: _thumbnail(media, number) for number in wanted}


def _thumbnail(media: MediaFiles, number: int) -> Thumbnail:
    facts = media.facts(number)
    match facts["kind"]:
        case "image":
            picture = media.image(number)
            words = f"image, {facts['width']} × {facts['height']} pixels"
            picture.thumbnail((SIDE_PIXELS, SIDE_PIXELS))
        case "video":
            times = [facts["seconds"] * (place + 0.5) / STRIP_FRAMES for place in range(STRIP_FRAMES)]
            picture = strip(media.frames(number, times))
            words = f"video, {facts['seconds']:.1f} seconds: {STRIP_FRAMES} frames from left to right"
        case "audio":
            picture = waveform(media.audio(number))
            words = f"audio, {facts['seconds']:.1f} seconds"
    return Thumbnail(_data_uri(picture), words, *picture.size)


def strip(frames: Iterable[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]) -> Image.Image:
    """Return frames side by side."""
    from PIL import Image

    pictures = [Image.fromarray(frame) for frame in frames]
    for picture in pictures:
        picture.thumbnail((2 * STRIP_PIXELS, STRIP_PIXELS))
    width, height = pictures[0].size
    joined = Image.new("RGB", (len(pictures) * (width + GAP_PIXELS) - GAP_PIXELS, height), PAPER)
    for place, picture in enumerate(pictures):
        joined.paste(picture, (place * (width + GAP_PIXELS), 0))
    return joined


def waveform(samples: Waves) -> Image.Image:
    """Return how loud a sound is over its length, its loudest moment as high as the picture."""
    from PIL import Image, ImageDraw

    width, height = WAVE_PIXELS
    picture = Image.new("RGB", WAVE_PIXELS, PAPER)
    pen, loudest = ImageDraw.Draw(picture), float(np.abs(samples).max(initial=0)) or 1.0
    edges = np.linspace(0, len(samples), width + 1).astype(int)
    for column, (begin, end) in enumerate(itertools.pairwise(edges)):
        reach = float(np.abs(samples[begin:end]).max(initial=0)) / loudest * (height / 2 - 2)
        pen.line((column, height / 2 - reach, column, height / 2 + reach), fill=INK)
    return picture


def _data_uri(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
