"""Where each record of a large file begins: found once, at the disk's speed, and kept beside other indexes.

An index is a file of little-endian 64-bit offsets: 0, then the end of each record. It is read piece by piece
and never held in memory. Knows where records end; knows nothing of what stands in them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from manus.data.sources.cache import cached
from manus.errors import DataError
from manus.guards.progress import progress
from manus.guards.run import RUN

BLOCK_BYTES = 8 << 20
OFFSET = np.dtype("<u8")
NEWLINE, RETURN, QUOTE = 10, 13, 34
MEGABYTE = 1_000_000

Block = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]


class Ends(Protocol):
    """Finds where records end in the blocks of a file, given in order."""

    def feed(self, block: Block, following: int) -> Positions:
        """Return the places in a block after which a record ends.

        `following` is the next block's first byte, or -1.
        """


class LineEnds:
    """Records are lines."""

    def feed(self, block: Block, following: int) -> Positions:
        """Return the places of newlines."""
        return np.flatnonzero(block == NEWLINE)


class TableEnds:
    """Records are rows of CSV as Python's csv reads them: quoted fields hold newlines, `""` is a quote.

    A newline ends a record when an even number of quotes stands before it. That is exact as long as each
    quote opens or closes a field; a block with any other quote is walked through.
    """

    def __init__(self, delimiter: str) -> None:
        self.beside = (ord(delimiter), NEWLINE, RETURN)  # what stands on the outer side of a field's quotes
        self.before = NEWLINE  # the byte before the block
        self.is_quoted = False
        self.is_half = False  # whether the block before ended between the two quotes of `""`

    def feed(self, block: Block, following: int) -> Positions:
        """Return the places of newlines outside of quoted fields."""
        newlines, quotes = np.flatnonzero(block == NEWLINE), np.flatnonzero(block == QUOTE)
        quotes = quotes[int(self.is_half) :]
        self.is_half = False
        if not len(quotes):
            ends = newlines[:0] if self.is_quoted else newlines
        elif self._is_regular(block, quotes, following):
            inside = np.searchsorted(quotes, newlines) + self.is_quoted
            ends = newlines[inside % 2 == 0]
            self.is_quoted ^= bool(len(quotes) % 2)
            if not self.is_quoted and quotes[-1] == len(block) - 1 and following == QUOTE:
                self.is_quoted = self.is_half = True
        else:
            ends = self._walked(block, newlines, quotes, following)
        self.before = int(block[-1])
        return ends

    def _is_regular(self, block: Block, quotes: Positions, following: int) -> bool:
        """Tell whether quotes open only at the beginning of a field and close only at its end."""
        before = (
            -1 if self.before == QUOTE else self.before
        )  # a pair of quotes cut in two is told by `is_half`
        places = np.concatenate([[before], block, [following]]).astype(np.int16)
        opening, closing = quotes[int(self.is_quoted) :: 2], quotes[1 - int(self.is_quoted) :: 2]
        begins, ends = (
            np.isin(places[opening], [*self.beside, QUOTE]),
            np.isin(places[closing + 2], [*self.beside, QUOTE, -1]),
        )
        return bool(begins.all() and ends.all())

    def _walked(self, block: Block, newlines: Positions, quotes: Positions, following: int) -> Positions:
        ends: list[int] = []
        skipped = -1
        for place in np.sort(np.concatenate([newlines, quotes])).tolist():
            if place == skipped:
                continue
            if block[place] == NEWLINE:
                if not self.is_quoted:
                    ends.append(place)
            elif not self.is_quoted:
                self.is_quoted = (int(block[place - 1]) if place else self.before) in self.beside
            elif place + 1 < len(block) and block[place + 1] == QUOTE:
                skipped = place + 1
            elif place + 1 == len(block) and following == QUOTE:
                self.is_half = True
            else:
                self.is_quoted = False
        return np.asarray(ends, dtype=np.int64)


def blocks_of(path: Path, title: str) -> Iterator[Block]:
    """Yield a file's bytes in blocks, with progress and safe points; none stays in the page cache's account.

    Raises:
        Interrupted: a signal came.
    """
    total = path.stat().st_size
    with path.open("rb", buffering=0) as stream, progress(title, total // MEGABYTE, "MB") as advance:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        done = 0
        while data := stream.read(BLOCK_BYTES):
            RUN.cross(title)
            yield np.frombuffer(data, dtype=np.uint8)
            done += len(data)
            advance(done // MEGABYTE)


def write_index(blocks: Iterator[Block], ends: Ends, target: Path) -> None:
    """Write the index of a file that comes in blocks."""
    size, last = 0, -1
    with target.open("wb") as stream:
        stream.write(np.zeros(1, OFFSET).tobytes())
        block = next(blocks, None)
        while block is not None:
            following = next(blocks, None)
            found = ends.feed(block, int(following[0]) if following is not None else -1)
            if len(found):
                stream.write((found + (size + 1)).astype(OFFSET).tobytes())
                last = size + int(found[-1])
            size += len(block)
            block = following
        if size and last != size - 1:  # the last record has no newline
            stream.write(np.asarray([size], OFFSET).tobytes())


def checked(blocks: Iterator[Block], path: Path, digest: str) -> Iterator[Block]:
    """Yield a file's blocks, and see to it at the end that they are what has this digest.

    Raises:
        DataError: they are not; what was made of them must not be kept under that digest.
    """
    found = hashlib.sha256()
    for block in blocks:
        found.update(block.data)
        yield block
    if found.hexdigest() != digest:
        raise changed_while_read(path)


def changed_while_read(path: Path) -> DataError:
    """Return what to raise when a file is another one than when its digest was taken."""
    return DataError(
        f"data {path}: it was changed while it was read; nothing is kept of it, run the same again"
    )


def index_of(
    path: Path, name: str, ends: Callable[[], Ends], cache: Path, digest: str | None = None
) -> Index:
    """Return a file's index, from the cache or made now.

    Args:
        path: the file.
        name: what its index is called in the cache: a digest of its content, and how records are told apart.
        ends: makes what finds them.
        cache: the folder of indexes.
        digest: of the content that `name` stands for, which the file must still have; None where nobody else
            writes it.

    Raises:
        DataError: the file has another content.
        Interrupted: a signal came.
    """

    def build(target: Path) -> None:
        blocks = blocks_of(path, f"index {path.name}")
        write_index(blocks if digest is None else checked(blocks, path, digest), ends(), target)

    return Index(cached(cache / f"{name}.u64", build))


class Index:
    """Random access to the places of records; safe to use in processes that were forked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = os.open(path, os.O_RDONLY)
        self.count = os.fstat(self.file).st_size // OFFSET.itemsize - 1

    def __del__(self) -> None:
        if hasattr(self, "file"):
            os.close(self.file)

    def __len__(self) -> int:
        return self.count

    def offsets(self, first: int, last: int) -> Positions:
        """Return where the records from `first` up to `last` begin, and where the one before `last` ends."""
        data = os.pread(self.file, (last - first + 1) * OFFSET.itemsize, first * OFFSET.itemsize)
        return np.frombuffer(data, dtype=OFFSET).astype(np.int64)

    def record_at(self, offset: int) -> int:
        """Return the number of the first record that begins at an offset or after it."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self.offsets(middle, middle)[0] < offset:
                low = middle + 1
            else:
                high = middle
        return low
