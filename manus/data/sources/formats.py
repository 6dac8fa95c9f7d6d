"""The formats of files with rows: which there are, and which a file has. Each has a file of its own.

A format is added in its file and in FORMATS; a compression, in which all of them may come, in
`compression.CODECS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from manus.data.sources.compression import is_compressed
from manus.data.sources.json_list import Json
from manus.data.sources.jsonl import Jsonl
from manus.data.sources.parquet import Parquet
from manus.data.sources.records import Numbered, Records
from manus.data.sources.tables import Table
from manus.data.sources.text_files import Text


class Format(Protocol):
    """A format of files with rows, read from the beginning or, where it allows that, by number."""

    @property
    def endings(self) -> Sequence[str]:
        """What names of such files end in."""

    @property
    def is_compressible(self) -> bool:
        """Whether such files come compressed."""

    @property
    def expansion(self) -> int:
        """How much larger rows usually are than their file."""

    def rows(self, path: Path) -> Iterator[Numbered]:
        """Yield where each row stands and the row, or why it is none, from the beginning.

        Raises:
            DataError: the file cannot be read.
        """

    def by_number(
        self, path: Path, digest: str, cache: Path, segment_bytes: int | None = None
    ) -> Records | None:
        """Return random access to the rows; None where the format has none.

        Args:
            path: the file.
            digest: of its content, under which its index and, if it is compressed, its plain copy are kept.
            cache: the folder that keeps them.
            segment_bytes: how long segments of a text are; none: SEGMENT_BYTES, and a few megabytes stay
                whole.

        Raises:
            DataError: the file cannot be read.
            Interrupted: a signal came.
        """


LOG = Text(".log")
FORMATS: tuple[Format, ...] = (
    Jsonl(),
    Json(),
    Table(".csv", ","),
    Table(".tsv", "\t"),
    Parquet(),
    Text(".txt", ".md"),
    LOG,
)
BY_ENDING: dict[str, Format] = {ending: format for format in FORMATS for ending in format.endings}
COMPRESSED_EXPANSION = 4


def ending_of(path: Path) -> str:
    """Return the ending that tells a file's format, with the ending of a compression."""
    return "".join(path.suffixes[-2:]) if is_compressed(path) else path.suffix


def format_of(path: Path) -> Format | None:
    """Return a file's format; None where it has none that is known."""
    if not is_compressed(path):
        return BY_ENDING.get(path.suffix)
    found = BY_ENDING.get(path.with_suffix("").suffix)
    return found if found is not None and found.is_compressible else None


def rows_of(path: Path) -> Iterator[Numbered]:
    """Yield a file's rows from the beginning; it has a format."""
    found = format_of(path)
    assert found is not None, f"{path} was found among files with rows"
    return found.rows(path)


def records_of(path: Path, digest: str, cache: Path, segment_bytes: int | None = None) -> Records | None:
    """Return random access to a file's rows as `Format.by_number` does; it has a format."""
    found = format_of(path)
    assert found is not None, f"{path} was found among files with rows"
    return found.by_number(path, digest, cache, segment_bytes)


def bytes_of_rows(path: Path) -> int:
    """Return about how many bytes of rows a file holds."""
    found = format_of(path)
    expansion = found.expansion if found is not None else 1
    return path.stat().st_size * (COMPRESSED_EXPANSION if is_compressed(path) else expansion)
