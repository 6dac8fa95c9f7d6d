"""Puts samples into rows of a length, block by block, so that memory does not grow with their number.

A block takes a little from many places of the data, so that its rows are mixed. Knows lengths only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

BLOCK_SAMPLES = 1 << 16
STRIPS = 64
MEMBERS, ROWS = "row_members.int64", "row_starts.int64"

Numbers = npt.NDArray[np.int64]


def filled(lengths: npt.NDArray[np.integer], capacity: int) -> Iterator[list[int]]:
    """Yield rows of samples, by number, of at most `capacity` tokens: each takes the longest that still fits."""
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
        runs = [np.arange(s * strip + begin, min(s * strip + min(begin + run, strip), count)) for s in range(strips)]
        yield np.concatenate(runs)


def write_rows(
    folder: Path, count: int, lengths_at: Callable[[Numbers], npt.NDArray[np.integer]], capacity: int,
    advance: Callable[[int], None],
) -> int:  # fmt: skip
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
        for block in blocks(count):
            order: list[int] = []
            ends: list[int] = []
            for row in filled(lengths_at(block), capacity):
                order += row
                ends.append(done + len(order))
            members.write(block[order].astype("<i8").tobytes())
            starts.write(np.asarray(ends, dtype="<i8").tobytes())
            done, rows = done + len(block), rows + len(ends)
            advance(done)
    return rows
