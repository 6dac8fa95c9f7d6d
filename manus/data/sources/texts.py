"""Opens texts, compressed or not, and tells what in them is no text. Knows nothing of formats."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path
from typing import IO

from manus.data.sources.bounded_text import LARGEST_UNPACKED_BYTES, whole
from manus.data.sources.compression import is_compressed, open_bytes
from manus.errors import DataError

KEEPING_BYTES = "surrogateescape"
HOLDS_NUL = "it holds a byte of zero, as no text does: is the file torn, or UTF-16?"
LOOKED_AT_BYTES = 1024  # for an encoding
SHORTEST_HALF_BYTES = 4
NOT_UTF_8 = re.compile("[\udc80-\udcff]")


def open_text(path: Path) -> IO[str]:
    """Open a text; a byte in it that is not UTF-8 stays one (`undecodable`), so that only its row is bad.

    Raises:
        DataError: it is compressed, and UTF-16; where it is plain, `data_files` has looked already.
    """
    if is_compressed(path):
        refuse_other_encodings(path)
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", errors=KEEPING_BYTES)


def read_whole(path: Path) -> str:
    """Return all of a text, as `open_text` reads it.

    Raises:
        TooMuch: it is compressed, and holds more than may be in memory.
        Interrupted: a signal came.
    """
    with open_text(path) as stream:
        return whole(stream, f"reading {path.name}", LARGEST_UNPACKED_BYTES if is_compressed(path) else None)


def refuse_other_encodings(path: Path) -> None:
    """Refuse a text that says of itself that it is not UTF-8.

    Raises:
        DataError: it is UTF-16 or UTF-32.
    """
    if ".parquet" in path.suffixes:
        return
    with open_bytes(path) as stream:
        begin = stream.read(LOOKED_AT_BYTES)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"data {path}: UTF-16 text; save it as UTF-8, such as with iconv -f UTF-16 -t UTF-8")
    for first, name in (
        (1, "UTF-16LE"),
        (0, "UTF-16BE"),
    ):  # most characters of most texts have a byte of zero there
        half = begin[first::2]
        if len(half) >= SHORTEST_HALF_BYTES and half.count(0) > len(half) / 2:
            raise DataError(
                f"data {path}: every other byte is zero, as in UTF-16; "
                f"save it as UTF-8, such as with iconv -f {name} -t UTF-8"
            )


def undecodable(text: str) -> str | None:
    """Return why a text that `open_text` read is none, or None where it is."""
    if NOT_UTF_8.search(text) is None:
        return None
    try:
        text.encode("utf-8", KEEPING_BYTES).decode()
    except UnicodeDecodeError as error:
        return f"not valid UTF-8: {error.reason} at byte {error.start:,}"
    except UnicodeEncodeError:
        return None  # half a character that JSON wrote as an escape: the reader of turns refuses it
    return None


def beginning_of(path: Path, characters: int) -> str:
    """Return the beginning of a text."""
    with open_text(path) as stream:
        return stream.read(characters)
