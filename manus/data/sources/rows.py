"""Reads rows of local files, hub data sets, generators, one at a time. Knows nothing of samples or tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from manus.data.generators import known_generators
from manus.data.settings import Source
from manus.data.sources import hub
from manus.data.sources.files import data_files
from manus.data.sources.formats import rows_of
from manus.data.sources.records import BadRow, Numbered
from manus.errors import DataError, blamed_on
from manus.hub import unreachable

DEFAULT_GENERATED_ROWS = 1000
DEFAULT_GENERATED_HELD_OUT = 100


class Located(NamedTuple):
    """A row, or why it is none, with the folder its relative paths start from, its place, and its number."""

    folder: Path
    place: str
    row: dict[str, Any] | BadRow
    number: int = 0


def rows(source: Source, beside: Path, count: int, seed: int, held_out: bool) -> Iterator[Numbered]:
    """Yield where each row stands and the row, or why it is none; as `located_rows`, without folders."""
    for one in located_rows(source, beside, count, seed, held_out):
        yield one.place, one.row


def located_rows(source: Source, beside: Path, count: int, seed: int, held_out: bool) -> Iterator[Located]:
    """Yield the folder of a row's relative paths, where the row stands, and the row or why it is none.

    Args:
        count: how many rows a generator makes. A hub data set is shuffled (in a buffer) when there is a
            count, because it is then read only so far; 0 reads it in order. Files give all they have.
        seed: where generators and the shuffle start.
        held_out: only a generator tells the two apart, and draws from other templates.
    """
    located: Iterator[tuple[Path, str, dict[str, Any] | BadRow]]
    if source.generator is not None:
        module = known_generators()[source.generator]
        made = module.rows(count, seed, held_out, module.Settings(**source.options))
        located = ((beside, f"{source.title} row {index}", row) for index, row in enumerate(made, 1))
    elif source.hub is not None:
        located = ((beside, place, row) for place, row in _hub_rows(source, count, seed))
    else:
        located = (
            (file.parent, f"{file.name} {place}", row)
            for file in data_files(source, beside)
            for place, row in rows_in(file)
        )
    for folder, place, row in located:
        yield Located(folder, place, renamed(row, source) if isinstance(row, dict) else row)


def rows_in(file: Path) -> Iterator[Numbered]:
    """Yield where each row of a file stands and the row, or the reason why it is none.

    Raises:
        DataError: the file cannot be read.
        Interrupted: a signal came.
    """
    with blamed_on(f"data {file}: cannot be read", DataError):
        yield from rows_of(file)


def renamed(row: dict[str, Any], source: Source) -> dict[str, Any]:
    """Return a row without columns that its source ignores, and with those that we know under our names."""
    if source.ignore:
        row = {name: value for name, value in row.items() if name not in source.ignore}
    if not source.columns:
        return row
    kept = {name: value for name, value in row.items() if name not in source.columns.values()}
    return kept | {ours: row[theirs] for ours, theirs in source.columns.items() if theirs in row}


def _hub_rows(source: Source, count: int, seed: int) -> Iterator[Numbered]:
    try:
        stream = hub.open_stream(source)
        if count:
            stream = stream.shuffle(seed=seed, buffer_size=hub.shuffle_rows(stream))
        for index, row in enumerate(stream, 1):
            yield f"{source.hub} row {index}", dict(row)
    except (ValueError, *unreachable()) as error:  # type: ignore[misc]
        raise hub.refused(str(source.hub), error) from None
