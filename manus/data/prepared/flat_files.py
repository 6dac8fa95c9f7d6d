"""Flat arrays on disk that are read by place, never mapped: what was read once does not stay in the process.

A memory map would count every page ever touched, which in a shuffled epoch is the whole file.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class FlatFile:
    """An array of one type in a file, by place. Safe to use in processes that were forked."""

    def __init__(self, path: Path, dtype: npt.DTypeLike) -> None:
        self.path, self.dtype = path, np.dtype(dtype)
        self.file = os.open(path, os.O_RDONLY)
        self.count = os.fstat(self.file).st_size // self.dtype.itemsize

    def __del__(self) -> None:
        if hasattr(self, "file"):
            os.close(self.file)

    def __len__(self) -> int:
        return self.count

    def between(self, first: int, last: int) -> npt.NDArray[Any]:
        """Return the values from `first` up to `last`."""
        size, offset = (last - first) * self.dtype.itemsize, first * self.dtype.itemsize
        data = os.pread(self.file, size, offset)
        while len(data) < size and (more := os.pread(self.file, size - len(data), offset + len(data))):
            data += more
        return np.frombuffer(data, dtype=self.dtype)

    def at(self, places: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return the values at places; those that lie close together are read together."""
        order = np.argsort(places, kind="stable")
        ascending = places[order]
        found = np.empty(len(places), dtype=self.dtype)
        for run in np.split(np.arange(len(places)), np.flatnonzero(np.diff(ascending) > _CLOSE) + 1):
            if len(run):
                first = int(ascending[run[0]])
                values = self.between(first, int(ascending[run[-1]]) + 1)
                found[order[run]] = values[ascending[run] - first]
        return found


_CLOSE = 256


class FlatFiles:
    """Arrays of one type in many files, read as one that follow each other; a few are open at a time."""

    OPEN_AT_ONCE = 64

    def __init__(self, paths: list[Path], counts: list[int], dtype: npt.DTypeLike) -> None:
        self.paths, self.dtype = paths, np.dtype(dtype)
        self.ends = np.cumsum(counts) if counts else np.zeros(0, dtype=np.int64)
        self.open: OrderedDict[int, FlatFile] = OrderedDict()

    def between(self, first: int, last: int) -> npt.NDArray[Any]:
        """Return the values from `first` up to `last`, which lie in one file."""
        index = int(np.searchsorted(self.ends, first, side="right"))
        begin = int(self.ends[index - 1]) if index else 0
        if index not in self.open:
            self.open[index] = FlatFile(self.paths[index], self.dtype)
            if len(self.open) > self.OPEN_AT_ONCE:
                self.open.popitem(last=False)
        self.open.move_to_end(index)
        return self.open[index].between(first - begin, last - begin)
