"""The first rows of a stage's files, to know what stands there before anything runs. Knows no samples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from manus.data.settings import Source
from manus.data.sources.files import data_files
from manus.data.sources.formats import bytes_of_rows, format_of
from manus.data.sources.json_list import Json
from manus.data.sources.jsonl import Jsonl
from manus.data.sources.records import Numbered
from manus.data.sources.rows import renamed, rows_in
from manus.data.sources.text_files import Text
from manus.data.sources.texts import beginning_of

LARGEST_READ_WHOLE_BYTES = 50_000_000  # of a format that can only be read whole
LONGEST_LINE_CHARACTERS = 1 << 24


def first_rows(source: Source, beside: Path, count: int) -> Iterator[Numbered]:
    """Yield where each of the first rows of a local source stands and the row, or the reason why it is none.

    Every file gives its part. Of a large text the beginning is given; a large list of JSON, which can only be
    read whole, has no row.

    Args:
        source: a file or a folder.
        beside: the folder of the recipe, for relative paths.
        count: how many rows, in all files together.

    Raises:
        DataError: the source is missing or of a kind that cannot be read.
    """
    files = data_files(source, beside)
    for number, file in enumerate(files):
        share = -(-count // (len(files) - number))
        for place, row in islice(_rows(file), share):
            yield f"{file.name} {place}", renamed(row, source) if isinstance(row, dict) else row
            count -= 1


def _rows(file: Path) -> Iterator[Numbered]:
    kind = format_of(file)
    if isinstance(kind, Jsonl):
        return kind.rows(file, LONGEST_LINE_CHARACTERS)
    if isinstance(kind, Json | Text) and bytes_of_rows(file) > LARGEST_READ_WHOLE_BYTES:
        if isinstance(kind, Json):
            return iter([("whole file", "too large to be looked at; write one object a line, as .jsonl")])
        return iter([("beginning", {"text": beginning_of(file, LONGEST_LINE_CHARACTERS)})])
    return rows_in(file)
