"""Reads rows from local files, hub data sets and generators, one at a time. Knows nothing of samples or tokens."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from manus.data import generators
from manus.data.settings import Source
from manus.data.sources import hub
from manus.data.sources.compression import is_compressed, open_compressed
from manus.data.sources.files import data_files
from manus.data.sources.formats import READERS, BadRow, Numbered, _open, format_of, parsed
from manus.discovery import discovered
from manus.errors import DataError
from manus.hub import unreachable

DEFAULT_GENERATED_ROWS = 1000
DEFAULT_GENERATED_HELD_OUT = 100

LONGEST_LINE_CHARACTERS = 1 << 29  # of JSON lines, whatever is held in memory
KEEPING_BYTES = "surrogateescape"
NOT_UTF_8 = re.compile("[\udc80-\udcff]")

Located = tuple[Path, str, dict[str, Any] | BadRow]


def _is_hidden(entry: Path, folder: Path) -> bool:
    """Tell whether a name below a folder begins with a dot: notebooks, editors and copies leave such files among data."""
    return any(part.startswith(".") for part in entry.relative_to(folder).parts)


def refuse_other_encodings(path: Path) -> None:
    """Refuse a text that says of itself that it is not UTF-8.

    Raises:
        DataError: it is UTF-16 or UTF-32.
    """
    if format_of(path).startswith(".parquet"):
        return
    with _open_bytes(path) as stream:
        if stream.read(len(codecs.BOM_UTF16)) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise DataError(f"data {path}: UTF-16 text; save it as UTF-8, such as with iconv -f UTF-16 -t UTF-8")


def rows(source: Source, beside: Path, count: int, seed: int, held_out: bool) -> Iterator[Numbered]:
    """Yield where each row stands and the row, or the reason why it is none; as `located_rows`, without folders."""
    for _, place, row in located_rows(source, beside, count, seed, held_out):
        yield place, row


def located_rows(source: Source, beside: Path, count: int, seed: int, held_out: bool) -> Iterator[Located]:
    """Yield the folder that a row's relative paths start from, where the row stands, and the row or why it is none.

    Args:
        count: how many rows a generator makes. A hub data set is shuffled (in a buffer) when there is a
            count, because it is then read only so far; 0 reads it in order. Files give all they have.
        seed: where generators and the shuffle start.
        held_out: only a generator tells the two apart, and draws from other templates.
    """
    if source.generator is not None:
        module = discovered("manus.data.generators", generators.REQUIRED)[source.generator]
        made = module.rows(count, seed, held_out, module.Settings(**source.options))
        located: Iterator[Located] = ((beside, f"{source.title} row {index}", row) for index, row in enumerate(made, 1))
    elif source.hub is not None:
        located = ((beside, place, row) for place, row in _hub_rows(source, count, seed))
    else:
        located = (
            (file.parent, f"{file.name} {place}", row)
            for file in data_files(source, beside)
            for place, row in rows_of_file(file)
        )
    for folder, place, row in located:
        yield folder, place, renamed(row, source.columns) if isinstance(row, dict) else row


def rows_of_file(file: Path) -> Iterator[Numbered]:
    """Yield where each row of a file stands and the row, or the reason why it is none.

    Raises:
        DataError: it is not what its ending says.
    """
    try:
        yield from READERS[format_of(file)](file)
    except (EOFError, zlib.error, OSError) as error:
        if not is_compressed(file):
            raise
        raise DataError(f"data {file}: cannot be decompressed, is it whole? {error}") from None
    except csv.Error as error:
        raise DataError(f"data {file}: not a readable table: {error}") from None


def renamed(row: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    """Return a row with the columns that we know under our names."""
    if not columns:
        return row
    kept = {name: value for name, value in row.items() if name not in columns.values()}
    return kept | {ours: row[theirs] for ours, theirs in columns.items() if theirs in row}


def _hub_rows(source: Source, count: int, seed: int) -> Iterator[Numbered]:
    try:
        stream = hub.open_stream(source)
        if count:
            stream = stream.shuffle(seed=seed, buffer_size=hub.shuffle_rows(stream))
        for index, row in enumerate(stream, 1):
            yield f"{source.hub} row {index}", dict(row)
    except (ValueError, *unreachable()) as error:  # type: ignore[misc]
        raise hub.refused(str(source.hub), error) from None


def _open_bytes(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return open_compressed(path.open("rb"), path) if path.suffix == ".zst" else path.open("rb")


def undecodable(text: str) -> BadRow | None:
    """Return why a text that `_open` read is none, or None where it is."""
    if NOT_UTF_8.search(text) is None:
        return None
    try:
        text.encode("utf-8", KEEPING_BYTES).decode()
    except UnicodeDecodeError as error:
        return f"not valid UTF-8: {error.reason} at byte {error.start:,}"
    except UnicodeEncodeError:
        return None  # half a character that JSON wrote as an escape: the reader of turns refuses it
    return None


def read_jsonl(path: Path, longest: int = LONGEST_LINE_CHARACTERS) -> Iterator[Numbered]:
    """Yield the objects on the lines of a file; a line that is too long is none."""
    with _open(path) as stream:
        for number, line in enumerate(_lines(stream, longest), 1):
            if line is None:
                yield f"line {number}", f"longer than {longest:,} characters; write one object a line"
            elif line.strip():
                yield f"line {number}", undecodable(line) or parsed(line)


def beginning_of(path: Path, characters: int) -> str:
    """Return the beginning of a text."""
    with _open(path) as stream:
        return stream.read(characters)


def _lines(stream: IO[str], longest: int) -> Iterator[str | None]:
    """Yield the lines of a text; None for one that is too long, of which no more than that is ever in memory."""
    while line := stream.readline(longest):
        if len(line) < longest or line.endswith("\n"):
            yield line
            continue
        while (rest := stream.readline(longest)) and not rest.endswith("\n"):
            pass
        yield None
