"""Which media each prepared sample has, as two flat arrays. Knows nothing of samples' other parts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manus.data.sample import Sample, numbers_of

ENDS, NUMBERS = "media_ends.npy", "media_numbers.npy"


class MediaNumbers:
    """The numbers of the media of each sample, in the order of its placeholders."""

    def __init__(self, folder: Path) -> None:
        self.ends = np.load(folder / ENDS, mmap_mode="r") if (folder / ENDS).exists() else None
        self.numbers = np.load(folder / NUMBERS, mmap_mode="r") if self.ends is not None else None

    def of(self, index: int) -> list[int]:
        """Return those of one sample."""
        if self.ends is None or self.numbers is None:
            return []
        begin = int(self.ends[index - 1]) if index else 0
        return [int(number) for number in self.numbers[begin : int(self.ends[index])]]

    def kinds(self, count: int, kinds: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """Return which kinds of media each of `count` samples has, as bits, from media's kinds by number."""
        found = np.zeros(count, dtype=np.uint8)
        if self.ends is None or self.numbers is None:
            return found
        ends = np.asarray(self.ends)
        begins = np.concatenate([[0], ends[:-1]])
        of_each = kinds[np.asarray(self.numbers)]
        for kind in np.unique(of_each).tolist():
            before = np.concatenate([[0], np.cumsum(of_each == kind)])
            found |= np.where(before[ends] > before[begins], 1 << kind, 0).astype(np.uint8)
        return found


class NumbersWritten:
    """Collects the media of samples as these are written."""

    def __init__(self) -> None:
        self.ends: list[int] = []
        self.numbers: list[int] = []

    def add(self, sample: Sample, pieces: Iterable[int | None]) -> None:
        """Note the media of a sample, once for each piece written of it, which shows so many turns or all."""
        for turns in pieces:
            self.numbers += numbers_of(sample, turns)
            self.ends.append(len(self.numbers))

    def write(self, folder: Path) -> None:
        """Write the arrays; without any medium there are none."""
        write_numbers(folder, np.asarray(self.ends, dtype=np.int64), np.asarray(self.numbers, dtype=np.int32))


def write_numbers(folder: Path, ends: npt.NDArray[np.int64], numbers: npt.NDArray[np.int32]) -> None:
    """Write the media of samples: where each sample's end, and the numbers; no files without any medium."""
    if len(numbers):
        np.save(folder / ENDS, ends)
        np.save(folder / NUMBERS, numbers)
