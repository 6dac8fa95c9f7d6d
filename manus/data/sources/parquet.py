"""Parquet: rows in groups of columns. Knows nothing of samples or tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from manus.data.media.rows import batch_rows, lean
from manus.data.sources.indexing import Positions
from manus.data.sources.records import Numbered, Ranges, Record
from manus.errors import DataError


class Parquet:
    """Rows of any columns."""

    endings = (".parquet",)
    is_compressible = False
    expansion = 4  # how much larger rows usually are than their file

    def rows(self, path: Path) -> Iterator[Numbered]:
        """Yield the rows, batch by batch; few at once where they hold media."""
        from pyarrow import parquet

        with _told(path):
            number = 0
            with parquet.ParquetFile(path, **lean(parquet.read_metadata(path))) as file:
                _check_columns(file.schema_arrow, path)
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(batch_rows(file.metadata), row_groups=[group]):
                        for row in batch.to_pylist():
                            number += 1
                            yield f"row {number}", row

    def by_number(
        self, path: Path, digest: str, cache: Path, segment_bytes: int | None = None
    ) -> ParquetRows:
        """Return the rows by number."""
        return ParquetRows(path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what pyarrow cannot read as a message for users."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, FileNotFoundError) as error:
        raise DataError(f"data {path}: not a readable Parquet file: {error}") from None


def _check_columns(fields: Any, path: Path) -> None:
    """See to it that columns can be told apart, and the fields within them.

    Raises:
        DataError: two have one name.
    """
    from pyarrow import types

    names = [field.name for field in fields]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(
            f"data {path}: two columns or fields are called {twice!r}; give each a name of its own"
        )
    for field in fields:
        kind = field.type
        while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            kind = kind.value_type
        if types.is_struct(kind):
            _check_columns([kind.field(place) for place in range(kind.num_fields)], path)


class ParquetRows:
    """Rows of a Parquet file, read batch by batch from their row group."""

    MOST_BATCH_ROWS = 256

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self.path = path
        with _told(path):
            self.metadata = parquet.read_metadata(path)
            _check_columns(self.metadata.schema.to_arrow_schema(), path)
        self.batch_rows = min(self.MOST_BATCH_ROWS, batch_rows(self.metadata))
        groups = range(self.metadata.num_row_groups)
        self.group_ends = np.cumsum([self.metadata.row_group(group).num_rows for group in groups])

    def __len__(self) -> int:
        return int(self.metadata.num_rows)

    def bytes_of(self, first: int, last: int) -> int:
        """Return about how much of the file the rows from `first` up to `last` take."""
        return self.path.stat().st_size * (last - first) // max(1, len(self))

    def cut_evenly(self, step: int) -> Ranges:
        """Return whole row groups: within one, rows are found only through those before them."""
        return [(a, b) for a, b in pairwise([0, *self.group_ends.tolist()]) if a < b]

    def ends(self, number: int) -> None:
        """Rows are no parts of a longer text."""

    def read(self, numbers: Positions) -> Iterator[Record]:
        """Yield the rows with ascending numbers; the rows before them in a row group are read and dropped."""
        from pyarrow import parquet

        groups = np.searchsorted(self.group_ends, numbers, side="right")
        with _told(self.path):
            for group in np.unique(groups).tolist():
                wanted = numbers[groups == group]
                begin = int(self.group_ends[group]) - self.metadata.row_group(group).num_rows
                options = {"memory_map": False, "pre_buffer": False, **lean(self.metadata)}
                with parquet.ParquetFile(self.path, **options) as file:
                    for batch in file.iter_batches(self.batch_rows, row_groups=[group], use_threads=False):
                        here = wanted[
                            np.searchsorted(wanted, begin) : np.searchsorted(wanted, begin + len(batch))
                        ]
                        for number, row in zip(
                            here.tolist(), batch.take(here - begin).to_pylist(), strict=True
                        ):
                            yield Record(number, f"{self.path.name} row {number + 1}", row)
                        begin += len(batch)
                        if begin > wanted[-1]:
                            break
