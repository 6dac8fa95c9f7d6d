"""Media of prepared data on disk: one file of original bytes, a table of what lies where. Read by number.

Safe in processes that were forked: every read names its place. Knows nothing of rows.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from manus.data.media.errors import MediaError
from manus.data.sample import Medium, MediumKind
from manus.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

    from manus.data.media.sound import Waves
    from manus.data.media.video import Frames

MEDIA_BIN, MEDIA_TABLE, MEDIA_NAMES = "media.bin", "media.npy", "media.jsonl"
KINDS: tuple[MediumKind, ...] = ("image", "video", "audio")  # in the order of their codes on disk
# Where the bytes are, which part of the medium is meant (in seconds), and what decides its number of tokens.
ENTRY = np.dtype(
    [
        ("offset", "<i8"),
        ("size", "<i8"),
        ("begin", "<f8"),
        ("seconds", "<f8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("kind", "u1"),
        ("sha256", "u1", 32),
    ]
)
READ_BYTES = 1 << 16
UNNAMED = "\0"  # stands for a medium's name, which is looked up when it must be told


class Window(io.RawIOBase):
    """A part of a file as a file of its own, read without moving the place of the whole."""

    def __init__(self, file: int, offset: int, size: int) -> None:
        self.file, self.offset, self.size, self.place = file, offset, size, 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Return the place that is read next."""
        return self.place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to another place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.size}[whence]
        self.place = max(0, base + offset)
        return self.place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes."""
        wanted = min(len(buffer), max(0, self.size - self.place))
        data = os.pread(self.file, wanted, self.offset + self.place)
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)


def window(file: int, offset: int, size: int) -> IO[bytes]:
    """Return a part of an open file as a buffered stream."""
    return io.BufferedReader(Window(file, offset, size), READ_BYTES)


def has_media(folder: Path) -> bool:
    """Tell whether prepared data have media."""
    return (folder / MEDIA_TABLE).exists()


class MediaFiles:
    """Decodes the media of prepared data, by their numbers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = np.load(folder / MEDIA_TABLE)
        self.file = os.open(folder / MEDIA_BIN, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "file"):
            os.close(self.file)

    def __len__(self) -> int:
        return len(self.table)

    def facts(self, number: int) -> Medium:
        """Return the kind of a medium and what decides its number of tokens: pixels, or seconds."""
        return facts_of(self.table[number])

    def name(self, number: int) -> str:
        """Return what a medium was called in the data."""
        with (self.folder / MEDIA_NAMES).open(encoding="utf-8") as stream:
            found = next(line for index, line in enumerate(stream) if index == number)
        return str(json.loads(found)["name"])

    def encoded(self, number: int) -> IO[bytes]:
        """Return the original bytes, as a stream."""
        entry = self.table[number]
        return window(self.file, int(entry["offset"]), int(entry["size"]))

    def image(self, number: int) -> Image.Image:
        """Return a picture: RGB, upright, on white.

        Raises:
            DataError: the file was damaged since it was taken in; likewise for the others.
        """
        from manus.data.media.images import decode_image

        with self._decoding(number, "image"):
            return decode_image(self.encoded(number), UNNAMED)

    def frames(self, number: int, times: Sequence[float]) -> Frames:
        """Return the frames shown at times in seconds from the beginning, as uint8 [T, H, W, 3]."""
        from manus.data.media.video import decode_frames

        begin = float(self.table[number]["begin"])
        with self._decoding(number, "video"):
            return decode_frames(self.encoded(number), UNNAMED, [begin + time for time in times])

    def audio(self, number: int, rate_hertz: int | None = None) -> Waves:
        """Return sound as float32 [S], mono at 16 kHz or another rate, exactly as long as its facts say."""
        from manus.data.media.sound import RATE_HERTZ, decode_sound

        entry = self.table[number]
        begin, seconds = float(entry["begin"]), float(entry["seconds"])
        with self._decoding(number, "audio"):
            return decode_sound(self.encoded(number), UNNAMED, begin, seconds, rate_hertz or RATE_HERTZ)

    @contextmanager
    def _decoding(self, number: int, kind: MediumKind) -> Iterator[None]:
        """Say of the medium, as the data call it, what fails; it was whole when the data were prepared."""
        found = KINDS[self.table[number]["kind"]]
        assert found == kind, f"medium {number} is of kind {found}, not {kind}"
        try:
            yield
        except MediaError as error:
            told = str(error).replace(UNNAMED, self.name(number))
            raise DataError(
                f"{told}; "
                f"it could be decoded when the data were prepared: delete {self.folder}, and run again"
            ) from error


def facts_of(entry: npt.NDArray[Any] | np.void) -> Medium:
    """Return what an entry of the table says of its medium."""
    kind = KINDS[entry["kind"]]
    facts: Medium = {"kind": kind}
    if kind != "audio":
        facts |= {"width": int(entry["width"]), "height": int(entry["height"])}
    if kind != "image":
        facts["seconds"] = float(entry["seconds"])
    return facts
