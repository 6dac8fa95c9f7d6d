"""Reads text piece by piece, so that no line, record or document takes more memory than it may.

Three megabytes of a compressed file can hold a line of gigabytes. Knows nothing of formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from manus.guards.run import RUN

LARGEST_ROW_BYTES = 64 << 20
LARGEST_UNPACKED_BYTES = 256 << 20  # of a compressed file that is read whole
DEEPEST = 200  # levels of lists and objects in a row
PIECE = 1 << 20  # characters


class TooMuch(ValueError):
    """A file holds more in one piece than may be in memory."""


def too_long(size: int, largest: int | None = None) -> str:
    """Return why a row of so many bytes is none."""
    most = largest or LARGEST_ROW_BYTES
    return (
        f"{size:,} bytes long, a row may have {most:,}; "
        "write one object a line, or give a giant text as a .txt file"
    )


def lines_of(stream: IO[str], doing: str, largest: int | None = None) -> Iterator[str | int]:
    """Yield the lines of a text, or of one that is too long its number of bytes.

    Raises:
        Interrupted: a signal came.
    """
    most = largest or LARGEST_ROW_BYTES
    while line := stream.readline(PIECE):
        if len(line) < PIECE or line.endswith("\n"):
            yield line
            continue
        parts, size = [line], _bytes(line)
        while not line.endswith("\n") and (line := stream.readline(PIECE)):
            RUN.cross(doing)
            size += _bytes(line)
            if size > most:
                parts.clear()
            else:
                parts.append(line)
        yield size if size > most else "".join(parts)


class Records:
    """The lines of a table, for whoever makes records of them and tells where each begins.

    Raises:
        TooMuch: a record is too long.
        Interrupted: a signal came.
    """

    def __init__(self, stream: IO[str], doing: str) -> None:
        self.lines = enumerate(lines_of(stream, doing), 1)
        self.size = 0

    def begin(self) -> None:
        """Begin a record."""
        self.size = 0

    def __iter__(self) -> Records:
        return self

    def __next__(self) -> str:
        """Return the next line."""
        number, line = next(self.lines)
        self.size += line if isinstance(line, int) else len(line)
        if isinstance(line, int) or self.size > LARGEST_ROW_BYTES:
            raise TooMuch(f"line {number}: {too_long(self.size)}; or is a quote not closed?")
        return line


def whole(stream: IO[str], doing: str, most_bytes: int | None) -> str:
    """Return a text that may have so many bytes; None: as many as there are.

    Raises:
        TooMuch: it has more.
        Interrupted: a signal came.
    """
    parts: list[str] = []
    size = 0
    while piece := stream.read(PIECE):
        RUN.cross(doing)
        size += _bytes(piece)
        if most_bytes is not None and size > most_bytes:
            raise TooMuch(
                f"it holds more than {most_bytes:,} bytes and must be read whole; unpack it, or split it"
            )
        parts.append(piece)
    return "".join(parts)


def is_too_deep(value: Any) -> bool:
    """Tell whether lists and objects stand in each other deeper than may be."""
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, (dict, list))]:
        depth += 1
        if depth > DEEPEST:
            return True
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return False


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
