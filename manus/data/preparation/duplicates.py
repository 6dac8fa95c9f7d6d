"""Finds samples that say the same as an earlier one, by digests; of many samples, part by part.

Memory holds one part of the digests, and a bit for each sample. Knows nothing of rows or tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manus.guards.run import RUN

SAMPLES_IN_PART = 1 << 20
NUMBERED = np.dtype([("digest", "<u8", 2), ("number", "<u8")])

Digests = npt.NDArray[np.uint64]  # [N, 2]
Marks = npt.NDArray[np.bool_]


class Bits:
    """A mark for each sample, an eighth of a byte each."""

    def __init__(self, count: int) -> None:
        self.bytes = np.zeros(-(-count // 8), dtype=np.uint8)
        self.marked = 0

    def mark(self, numbers: npt.NDArray[np.uint64]) -> None:
        """Mark samples by number, each of them once."""
        np.bitwise_or.at(self.bytes, (numbers >> np.uint64(3)).astype(np.int64), _BIT[numbers & np.uint64(7)])
        self.marked += len(numbers)

    def between(self, first: int, last: int) -> Marks:
        """Return the marks of the samples from `first` up to `last`."""
        begin = first // 8
        bits = np.unpackbits(self.bytes[begin : -(-last // 8)], bitorder="little")
        return bits[first - 8 * begin : last - 8 * begin].astype(bool)


_BIT = np.left_shift(np.uint8(1), np.arange(8, dtype=np.uint8))


def duplicates(digests: Iterable[Digests], total: int, work: Path) -> Bits:
    """Mark the samples whose content stands in an earlier one.

    Where there are many, digests are divided by their first bits into files, each of which is sorted by
    itself.

    Args:
        digests: of what samples say, in their order, in pieces.
        total: how many there are.
        work: a folder for the files.

    Raises:
        Interrupted: a signal came.
    """
    found, parts = Bits(total), -(-total // SAMPLES_IN_PART)
    if parts <= 1:
        every = list(_numbered(digests))
        if every:
            found.mark(_repeated(np.concatenate(every)))
        return found
    work.mkdir(parents=True, exist_ok=True)
    paths = [work / f"digests-{part:05d}.bin" for part in range(parts)]
    for path in paths:
        path.unlink(missing_ok=True)
    for records in _numbered(digests):
        part_of = (records["digest"][:, 0] >> np.uint64(32)) * np.uint64(parts) >> np.uint64(32)
        order = np.argsort(part_of, kind="stable")
        for part, some in zip(*_grouped(part_of[order], records[order]), strict=True):
            with paths[part].open("ab") as stream:
                stream.write(some.tobytes())
    for path in paths:
        RUN.cross("looking for duplicates")
        if path.exists():
            found.mark(_repeated(np.fromfile(path, dtype=NUMBERED)))
            path.unlink()
    return found


def _numbered(digests: Iterable[Digests]) -> Iterator[npt.NDArray[Any]]:
    number = 0
    for some in digests:
        RUN.cross("looking for duplicates")
        records = np.empty(len(some), dtype=NUMBERED)
        records["digest"], records["number"] = some, np.arange(number, number + len(some))
        number += len(some)
        yield records


def _repeated(records: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Return the numbers of those whose digest an earlier one has."""
    digest = records["digest"]
    records = records[np.lexsort((records["number"], digest[:, 1], digest[:, 0]))]
    is_repeated = (records["digest"][1:] == records["digest"][:-1]).all(axis=1)
    numbers: npt.NDArray[np.uint64] = records["number"][1:][is_repeated]
    return numbers


def _grouped(keys: npt.NDArray[Any], values: npt.NDArray[Any]) -> tuple[list[int], list[npt.NDArray[Any]]]:
    """Return sorted keys without repeats, and the values of each."""
    distinct, first = np.unique(keys, return_index=True)
    return distinct.tolist(), np.split(values, first[1:]) if len(values) else []
