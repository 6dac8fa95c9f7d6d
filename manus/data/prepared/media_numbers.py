"""Which media each prepared sample has, as two flat arrays. Knows nothing of samples' other parts."""

from __future__ import annotations

from pathlib import Path

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


class NumbersWritten:
    """Collects the media of samples as these are written."""

    def __init__(self) -> None:
        self.ends: list[int] = []
        self.numbers: list[int] = []

    def add(self, sample: Sample, pieces: int) -> None:
        """Note the media of a sample, once for each piece that is written of it."""
        for _ in range(pieces):
            self.numbers += numbers_of(sample)
            self.ends.append(len(self.numbers))

    def write(self, folder: Path) -> None:
        """Write the arrays; without any medium there are none."""
        if not self.numbers:
            return
        ends: npt.NDArray[np.int64] = np.asarray(self.ends, dtype=np.int64)
        np.save(folder / ENDS, ends)
        np.save(folder / NUMBERS, np.asarray(self.numbers, dtype=np.int32))
