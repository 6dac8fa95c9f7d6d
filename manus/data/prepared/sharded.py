"""Large prepared data on disk: token files, a table of the samples in them, and the rows they are packed in.

Nothing is held in memory but a few numbers. Knows nothing of how they were made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from manus.data.order.mixing import Mixture
from manus.data.order.packing import MEMBERS, ROWS
from manus.data.prepared.flat_files import FlatFile, FlatFiles
from manus.data.prepared.media_numbers import MediaNumbers

LAYOUT, STARTS, LENGTHS = "layout.json", "starts.int64", "lengths.int32"
LENGTHS_AT_ONCE = 1 << 20


class ShardedSamples:
    """Random access to large prepared data, as `ids` and `is_learned`, by place in the epoch's mixture."""

    def __init__(self, folder: Path) -> None:
        layout = json.loads((folder / LAYOUT).read_text(encoding="utf-8"))
        self.folder, self.max_length = folder, int(layout["max_length"])
        files = layout["token_files"]
        self.tokens = FlatFiles([folder / name for name in files], list(files.values()), "<i4")
        self.starts, self.table = FlatFile(folder / STARTS, "<i8"), FlatFile(folder / LENGTHS, "<i4")
        sources = layout["sources"]
        self.mixture = Mixture([s["samples"] for s in sources], [s["times"] for s in sources], layout["seed"])
        self.media = MediaNumbers(folder)

    def __len__(self) -> int:
        return len(self.mixture)

    def __getitem__(self, place: int) -> dict[str, npt.NDArray[Any]]:
        number = int(self.mixture.at([place])[0])
        start, length = (
            int(self.starts.between(number, number + 1)[0]),
            int(self.table.between(number, number + 1)[0]),
        )
        marked = self.tokens.between(start, start + length)
        return {"ids": np.where(marked < 0, ~marked, marked), "is_learned": marked >= 0}

    def lengths_at(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the tokens of the samples at places."""
        return self.table.at(self.mixture.at(places))

    def media_of(self, place: int) -> list[int]:
        """Return the numbers of a sample's media, in the order of its placeholders."""
        return self.media.of(int(self.mixture.at([place])[0]))

    def media_at(self, kinds: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """Return which kinds of media the sample at each place has, a bit each, from each medium's kind."""
        of_each = self.media.kinds(len(self.table), kinds)
        found = np.empty(len(self), dtype=np.uint8)
        for first in range(0, len(self), LENGTHS_AT_ONCE):
            places = np.arange(first, min(first + LENGTHS_AT_ONCE, len(self)))
            found[places] = of_each[self.mixture.at(places)]
        return found

    @property
    def lengths(self) -> Iterator[npt.NDArray[np.int32]]:
        """The tokens of all samples that differ, in pieces."""
        for first in range(0, len(self.table), LENGTHS_AT_ONCE):
            yield self.table.between(first, min(first + LENGTHS_AT_ONCE, len(self.table)))

    def rows(self, max_length: int | None) -> Sequence[Sequence[int]]:
        """Return the rows of the epoch: one sample each, or packed."""
        if max_length is None:
            return _Single(len(self))
        assert max_length == self.max_length, "data are packed for the length that they are cut to"
        return _Packed(self.folder)


class _Rows(Sequence[Sequence[int]]):
    @overload
    def __getitem__(self, index: int) -> Sequence[int]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sequence[int]]: ...
    def __getitem__(self, index: int | slice) -> Sequence[int] | Sequence[Sequence[int]]:
        if isinstance(index, slice):
            return [self.row(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return self.row(index % len(self))

    def row(self, index: int) -> Sequence[int]:
        raise NotImplementedError


class _Single(_Rows):
    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return self.rows

    def row(self, index: int) -> Sequence[int]:
        return (index,)


class _Packed(_Rows):
    def __init__(self, folder: Path) -> None:
        self.members, self.starts = FlatFile(folder / MEMBERS, "<i8"), FlatFile(folder / ROWS, "<i8")

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, index: int) -> Sequence[int]:
        begin, end = self.starts.between(index, index + 2).tolist()
        members: list[int] = self.members.between(begin, end).tolist()
        return members
