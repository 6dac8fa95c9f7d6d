"""Cuts sound, as it comes, into the pieces that an encoder hears at once. Knows no encoder.

Shapes: S samples, mono.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from manus.data.media.sound import RATE_HERTZ

Waves = npt.NDArray[np.float32]
EMPTY: Waves = np.zeros(0, dtype=np.float32)


class Pieces:
    """Sound of which whole pieces are taken as soon as they are there."""

    def __init__(self, samples: int) -> None:
        """Args: how many samples at 16 kHz a piece has."""
        self.samples = samples
        self.waiting_S = EMPTY
        self.rate: int | None = None
        self.resampler: Any = None

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
            self._resample_from(rate)
        self._wait_for(self._resampled(waves_S.astype(np.float32)))
        while len(self.waiting_S) >= self.samples:
            piece, self.waiting_S = self.waiting_S[: self.samples], self.waiting_S[self.samples :]
            yield piece

    def end(self) -> Iterator[Waves]:
        """End the sound: yield what is left, less than a piece, if any (seldom a whole one before it)."""
        if self.resampler is not None:
            self._wait_for(self._resampled(None))
        self.rate, self.resampler = None, None
        left, self.waiting_S = self.waiting_S, EMPTY
        for start in range(0, len(left), self.samples):
            yield left[start : start + self.samples]

    def _wait_for(self, waves_S: Waves) -> None:
        self.waiting_S = np.concatenate([self.waiting_S, waves_S])

    def _resample_from(self, rate: int) -> None:
        from av.audio.resampler import AudioResampler

        if self.resampler is not None:
            self._wait_for(self._resampled(None))
        self.rate = rate
        is_same = rate == RATE_HERTZ
        self.resampler = None if is_same else AudioResampler(format="flt", layout="mono", rate=RATE_HERTZ)

    def _resampled(self, waves_S: Waves | None) -> Waves:
        """Return sound at 16 kHz, as far as the resampler has it; all that is left with None."""
        if self.resampler is None or self.rate is None:
            return EMPTY if waves_S is None else waves_S
        from av import AudioFrame

        frame = None
        if waves_S is not None:
            if not len(waves_S):
                return EMPTY
            frame = AudioFrame.from_ndarray(waves_S.reshape(1, -1), format="flt", layout="mono")
            frame.sample_rate, frame.pts = self.rate, None
        found = [
            np.asarray(part.to_ndarray(), dtype=np.float32).reshape(-1)
            for part in self.resampler.resample(frame)
        ]
        return np.concatenate(found) if found else EMPTY
