"""Reads media out of a user's files, as those of prepared data are read. Knows nothing of models."""

# Shapes: T frames, H x W pixels, S samples.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from manus.data.media.errors import MediaError
from manus.data.sample import Facts
from manus.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

    from manus.data.media.sound import Waves
    from manus.data.media.video import Frames


def read_image(file: Path) -> Image.Image:
    """Return a picture: RGB, upright, on white.

    Raises:
        DataError: the file is missing or no picture.
    """
    from manus.data.media.images import decode_image

    with _opened(file) as stream:
        return decode_image(stream, str(file))


def video_facts(file: Path) -> Facts:
    """Return pixels and seconds of a video.

    Raises:
        DataError: the file is missing or no video.
    """
    from manus.data.media.video import measure_video

    with _opened(file) as stream:
        found = measure_video(stream, file.stat().st_size, str(file))
    return Facts(kind="video", width=found.width, height=found.height, seconds=found.seconds)


def read_frames(file: Path, times: Sequence[float]) -> Frames:
    """Return the frames shown at times in seconds from the beginning: uint8 [T, H, W, 3], upright.

    Raises:
        DataError: the file is missing or no video.
    """
    from manus.data.media.video import decode_frames

    with _opened(file) as stream:
        return decode_frames(stream, str(file), times)


def read_audio(file: Path) -> Waves:
    """Return a sound as float32 [S], mono, 16 kHz.

    Raises:
        DataError: the file is missing, silent or no sound.
    """
    from manus.data.media.sound import decode_sound, measure_sound

    with _opened(file) as stream:
        seconds = measure_sound(stream, file.stat().st_size, str(file))
        return decode_sound(stream, str(file), 0.0, seconds)


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """Open a file; whatever is wrong with it is said to the user."""
    try:
        with file.open("rb") as stream:
            yield stream
    except MediaError as error:
        raise DataError(str(error)) from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from None
