"""Looks at prepared data as they were written: no training sample may ask what a held-out sample asks.

What each training sample asks is kept beside its tokens as 128 bits of a digest. Knows nothing of how data
were split.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from manus.data.preparation.split import is_among, prompts_of
from manus.data.prepared.flat_files import FlatFile
from manus.data.prepared.samples import read_held_out
from manus.data.sample import Sample
from manus.data.sample_digests import halves, prompt_digest
from manus.errors import DataError

ASKED = "asked.uint64"  # two numbers for each training sample, or window of a text
SAMPLES_AT_ONCE = 1 << 18


class Asked:
    """Collects what the training samples ask, in 16 bytes each."""

    def __init__(self) -> None:
        self.digests: list[npt.NDArray[np.uint64]] = []

    def add(self, sample: Sample, times: int) -> None:
        """Note what a sample asks, once for each piece that is written of it."""
        if times:
            self.digests += [np.array(halves(prompt_digest(sample)), dtype="<u8")] * times

    def write(self, folder: Path) -> None:
        """Write all of it beside the tokens."""
        with (folder / ASKED).open("wb") as stream:
            stream.writelines(digest.tobytes() for digest in self.digests)


def leaks(folder: Path) -> int | None:
    """Return how many training samples ask what a held-out sample asks; None where the data do not tell."""
    if not (folder / ASKED).exists():
        return None
    asked, written = prompts_of(read_held_out(folder)), FlatFile(folder / ASKED, "<u8")
    found, numbers = 0, 2 * SAMPLES_AT_ONCE
    for first in range(0, len(written), numbers):
        digests = written.between(first, min(first + numbers, len(written))).reshape(-1, 2)
        found += int(is_among(digests, asked).sum())
    return found


def check_no_leak(folder: Path) -> None:
    """Refuse prepared data in which a prompt is on both sides.

    Raises:
        DataError: one is.
    """
    found = leaks(folder)
    if found:
        raise DataError(
            f"{found} training samples ask what held-out samples ask; this must not be, please report it"
        )


def asked_by(pieces: Iterable[npt.NDArray[np.uint64]], path: Path) -> None:
    """Append what samples ask, given as digests."""
    with path.open("ab") as stream:
        stream.writelines(np.ascontiguousarray(piece, dtype="<u8").tobytes() for piece in pieces)
