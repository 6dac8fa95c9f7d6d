"""A shuffled order of any number of things, in no memory. Knows nothing of what is shuffled.

A Feistel network over pairs (a, b), with additions modulo the sides of a near-square, is a bijection of
`range(rows * columns)`; what falls outside of `range(count)` is sent through again until it falls inside
("cycle walking", Black and Rogaway 2002, Ciphers with Arbitrary Finite Domains).
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt

ROUNDS = 8  # four for each half; four in all already look random, the rest costs nanoseconds
MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)

Numbers = npt.NDArray[np.int64]


class Permutation:
    """A bijection of `range(count)`, drawn by a key: any place is found in a microsecond, and back."""

    def __init__(self, count: int, *key: object) -> None:
        self.count = count
        self.columns = max(1, math.isqrt(max(0, count - 1)) + 1)
        self.rows = max(1, -(-count // self.columns))
        digest = hashlib.sha512(":".join(map(str, (count, *key))).encode()).digest()
        self.keys = [int.from_bytes(digest[8 * r : 8 * r + 8], "big") for r in range(ROUNDS)]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> int:
        """Return what stands at a place.

        Raises:
            IndexError: there is no such place.
        """
        if not 0 <= place < self.count:
            raise IndexError(f"place {place} of {self.count}")
        return int(self.at(np.array([place]))[0])

    def at(self, places: npt.ArrayLike) -> Numbers:
        """Return what stands at places, each in `range(count)`."""
        return self._walked(places, is_forward=True)

    def place_of(self, things: npt.ArrayLike) -> Numbers:
        """Return the places where things stand: the inverse of `at`."""
        return self._walked(things, is_forward=False)

    def _walked(self, numbers: npt.ArrayLike, is_forward: bool) -> Numbers:
        found = self._once(np.asarray(numbers, dtype=np.uint64), is_forward)
        outside = np.flatnonzero(found >= self.count)
        while len(outside):
            found[outside] = self._once(found[outside], is_forward)
            outside = outside[found[outside] >= self.count]
        return found.astype(np.int64)

    def _once(self, numbers: npt.NDArray[np.uint64], is_forward: bool) -> npt.NDArray[np.uint64]:
        rows, columns = np.uint64(self.rows), np.uint64(self.columns)
        row, column = np.divmod(numbers, columns)
        for number in range(ROUNDS) if is_forward else reversed(range(ROUNDS)):
            key = np.uint64(self.keys[number])
            if number % 2:
                step = _mixed(row, key) % columns
                column = (column + (step if is_forward else columns - step)) % columns
            else:
                step = _mixed(column, key) % rows
                row = (row + (step if is_forward else rows - step)) % rows
        return row * columns + column


def _mixed(numbers: npt.NDArray[np.uint64], key: np.uint64) -> npt.NDArray[np.uint64]:
    """Return the finaliser of SplitMix64 (Steele et al. 2014) over numbers and a key."""
    with np.errstate(over="ignore"):
        mixed = numbers + key
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(MULTIPLIERS[0])
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(MULTIPLIERS[1])
        return mixed ^ (mixed >> np.uint64(31))
