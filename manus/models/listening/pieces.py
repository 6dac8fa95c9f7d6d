"""Cuts sound, as it comes, into the pieces that an encoder hears at once. Knows no encoder.

Shapes: S samples, mono.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from manus.data.media.sound import RATE_HERTZ, Resampler, Waves

EMPTY: Waves = np.zeros(0, dtype=np.float32)


class Pieces:
    """Sound of which whole pieces are taken as soon as they are there."""

    def __init__(self, samples: int) -> None:
        """Args: how many samples at 16 kHz a piece has."""
        self.samples = samples
        self.waiting_S = EMPTY
        self.rate: int | None = None
        self.resampler: Resampler | None = None  # None: it comes as it is wanted

    def add(self, samples_S: Any, rate: int) -> Iterator[Waves]:
        """Take sound in and yield the pieces that are whole by now, each float32 [samples].

        Args:
            samples_S: a numpy array or a tensor of floats in about -1..1.
            rate: samples a second; another rate than before ends what was heard at that one.

        Raises:
            ValueError: it is no such sound.
        """
        waves_S = np.asarray(samples_S)
        if waves_S.ndim != 1 or waves_S.dtype.kind != "f" or not np.isfinite(waves_S).all():
            raise ValueError(
                f"sound is mono floats [S] in about -1..1; this is {waves_S.dtype} {list(waves_S.shape)}"
                + (
                    ""
                    if waves_S.dtype.kind != "f" or waves_S.ndim != 1
                    else " with values that are no numbers"
                )
            )
        if rate < 1:
            raise ValueError(f"a sound of {rate} samples a second is none")
        if rate != self.rate:
            self._end_resampling()
            self.rate, self.resampler = rate, None if rate == RATE_HERTZ else Resampler(rate)
        waves_S = waves_S.astype(np.float32)
        self._wait_for(waves_S if self.resampler is None else self.resampler.add(waves_S))
        while len(self.waiting_S) >= self.samples:
            piece, self.waiting_S = self.waiting_S[: self.samples], self.waiting_S[self.samples :]
            yield piece

    def end(self) -> Iterator[Waves]:
        """End the sound: yield what is left, less than a piece, if any (seldom a whole one before it)."""
        self._end_resampling()
        left, self.waiting_S = self.waiting_S, EMPTY
        for start in range(0, len(left), self.samples):
            yield left[start : start + self.samples]

    def _wait_for(self, waves_S: Waves) -> None:
        self.waiting_S = np.concatenate([self.waiting_S, waves_S])

    def _end_resampling(self) -> None:
        if self.resampler is not None:
            self._wait_for(self.resampler.end())
        self.rate, self.resampler = None, None
