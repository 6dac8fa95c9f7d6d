"""Decodes pictures to RGB in bounded memory. Knows nothing of rows or of where the bytes lie."""

from __future__ import annotations

import warnings
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from manus.data.media.errors import MediaError

# No encoder looks at more; a larger picture is reduced while it is decoded.
LONGEST_SIDE = 2048
# What is decoded at once, after a JPEG's own reduction by up to 8 a side: under 300 MB with transparency.
MOST_PIXELS = 64_000_000
# Never those that start other programs (EPS) or need files of their own.
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "QOI", "TGA", "TIFF", "WEBP")
AVERAGED = ("CMYK", "L", "LA", "RGB", "RGBA")  # modes whose neighbouring values may be mixed
ORIENTATION = 0x0112
WHITE = (255, 255, 255, 255)

# Pillow's own limit counts pixels of the file, ours those that are decoded.
Image.MAX_IMAGE_PIXELS = None


def decode_image(stream: IO[bytes], name: str) -> Image.Image:
    """Return a picture as it is meant to be seen: RGB, upright, on white, no side above LONGEST_SIDE.

    Of an animation it is the first frame.

    Args:
        stream: the encoded bytes.
        name: what to call it in messages.

    Raises:
        MediaError: it is no picture, torn, or too large to be decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of every oddity in a file's marks
            return _decoded(stream, name)
    except MediaError:
        raise
    except UnidentifiedImageError:
        raise MediaError(f"{name}: not a picture in a known format") from None
    except MemoryError:
        raise MediaError(f"{name}: the picture needs more memory than there is") from None
    except Exception as error:  # decoders of foreign formats raise nearly everything
        raise MediaError(f"{name}: the picture cannot be decoded: {error or type(error).__name__}") from None


def _decoded(stream: IO[bytes], name: str) -> Image.Image:
    with Image.open(stream, formats=FORMATS) as image:
        if not (image.info.get("progressive") or image.info.get("progression")):
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # does nothing unless it is a JPEG
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise MediaError(
                f"{name}: {width:,} x {height:,} pixels are more than the {MOST_PIXELS:,} that are decoded "
                "at once; make it smaller, or a plain JPEG, which is reduced while it is decoded"
            )
        image.load()
        orientation = image.getexif().get(ORIENTATION, 1)
        if image.mode in AVERAGED:  # first, so that little is converted
            _reduce(image)
        seen = _as_rgb(image, name)
    _reduce(seen)
    seen.getexif()[ORIENTATION] = orientation
    ImageOps.exif_transpose(seen, in_place=True)
    return seen


def _reduce(image: Image.Image) -> None:
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)


def _as_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray(_high_bytes(image)).convert("RGB")
    if image.mode == "F":
        raise MediaError(
            f"{name}: its pixels are fractions, of which white and black are not known; save it as PNG"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, WHITE)
        canvas.alpha_composite(image)
        return canvas.convert("RGB")
    return image.convert("RGB") if image.mode != "RGB" else image.copy()


def _high_bytes(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Return 16-bit grey values as 8-bit ones; Pillow itself would clip them at 255."""
    values = np.clip(np.asarray(image), 0, 65535)
    return np.asarray(values >> 8, dtype=np.uint8)
