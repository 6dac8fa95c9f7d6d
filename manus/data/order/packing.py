"""Puts samples into rows of a length, block by block: the one packer, for training and what is told of it.

A block takes a little from many places of the data, so that its rows are mixed. Memory holds one block, and
where rows are not written, two numbers for each sample. Knows lengths only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

BLOCK_SAMPLES = 1 << 16
STRIPS = 64
MEMBERS, ROWS = "row_members.int64", "row_starts.int64"

Numbers = npt.NDArray[np.int64]


def filled(lengths: npt.NDArray[np.integer], capacity: int) -> Iterator[list[int]]:
    """Yield rows of samples, by number, of at most `capacity` tokens: each takes the longest that fits."""
    for full in np.flatnonzero(lengths >= capacity).tolist():
        yield [full]
    waiting: dict[int, list[int]] = defaultdict(list)
    for number in np.flatnonzero(lengths < capacity)[::-1].tolist():
        waiting[int(lengths[number])].append(number)
    present = sum(1 << length for length in waiting)  # a bit for each length that there is
    while present:
        row, room = [], capacity
        while fitting := present & ((2 << room) - 1):
            length = fitting.bit_length() - 1
            row.append(waiting[length].pop())
            room -= length
            if not waiting[length]:
                present ^= 1 << length
        yield row


def blocks(count: int, size: int = BLOCK_SAMPLES, strips: int = STRIPS) -> Iterator[Numbers]:
    """Yield every number below `count` once, in blocks that each take a run from every part of the range."""
    if count <= size:
        yield np.arange(count)
        return
    strip, run = -(-count // strips), size // strips
    for begin in range(0, strip, run):
        runs = [
            np.arange(s * strip + begin, min(s * strip + min(begin + run, strip), count))
            for s in range(strips)
        ]
        yield np.concatenate(runs)


def packed(
    count: int, lengths_at: Callable[[Numbers], npt.NDArray[np.integer]], capacity: int
) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield, block by block, the samples of rows one after the other, and where among them each row ends.

    Args:
        count: of samples.
        lengths_at: their lengths, by number.
        capacity: tokens in a row.
    """
    for block in blocks(count):
        order: list[int] = []
        ends: list[int] = []
        for row in filled(lengths_at(block), capacity):
            order += row
            ends.append(len(order))
        yield block[order], np.asarray(ends, dtype=np.int64)


class PackedRows(Sequence[Sequence[int]]):
    """Rows of samples, by number, in memory."""

    def __init__(self, members: Numbers, ends: Numbers) -> None:
        self.members, self.ends = members, ends

    @classmethod
    def of(cls, samples: Numbers, lengths: npt.NDArray[np.integer], capacity: int | None) -> PackedRows:
        """Return rows of some samples, by their lengths; without a capacity, one sample each."""
        if capacity is None:
            return cls(samples, np.arange(1, len(samples) + 1))
        return cls.joined(
            [
                cls(samples[members], ends)
                for members, ends in packed(len(samples), lambda places: lengths[places], capacity)
            ]
        )

    @classmethod
    def joined(cls, parts: Sequence[PackedRows]) -> PackedRows:
        """Return the rows of all parts, one after the other."""
        first = np.cumsum([0, *(len(part.members) for part in parts)])
        ends = [part.ends + begin for part, begin in zip(parts, first, strict=False)]
        empty = np.zeros(0, dtype=np.int64)
        return cls(np.concatenate([empty, *(part.members for part in parts)]), np.concatenate([empty, *ends]))

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> Sequence[int]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sequence[int]]: ...
    def __getitem__(self, index: int | slice) -> Sequence[int] | Sequence[Sequence[int]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        row = index % len(self)
        found: list[int] = self.members[self.ends[row - 1] if row else 0 : self.ends[row]].tolist()
        return found


def write_rows(
    folder: Path,
    count: int,
    lengths_at: Callable[[Numbers], npt.NDArray[np.integer]],
    capacity: int,
    advance: Callable[[int], None],
) -> int:
    """Pack samples and write their rows; return how many there are.

    Args:
        folder: where the files go: the samples of all rows, and where each row begins among them.
        count: of samples.
        lengths_at: their lengths, by number.
        capacity: tokens in a row.
        advance: called with how many samples are done; may raise to give up.
    """
    done = rows = 0
    with (folder / MEMBERS).open("wb") as members, (folder / ROWS).open("wb") as starts:
        starts.write(np.zeros(1, dtype="<i8").tobytes())
        for some, ends in packed(count, lengths_at, capacity):
            members.write(some.astype("<i8").tobytes())
            starts.write((ends + done).astype("<i8").tobytes())
            done, rows = done + len(some), rows + len(ends)
            advance(done)
    return rows
