"""Decodes codes as they come, so that the pieces are the sound of all at once. Knows no family of codecs.

Shape suffixes: K codebooks, F frames, S samples.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manus.models.speech.codecs import ResumableCodec, SpeechCodec


class StreamedDecoding:
    """Turns frames into samples bit by bit.

    A codec that goes on where it stopped (`ResumableCodec`) gives the samples of `decode`, to rounding. Any
    other decodes `left_context_frames` again in front of what is new: as exact as that codec says there.
    """

    def __init__(self, codec: SpeechCodec) -> None:
        self.codec = codec
        self._past: Any = None
        self._kept_KF: Tensor | None = None
        self._frames = 0
        self._is_over = False

    def add(self, codes_KF: Tensor) -> Tensor:
        """Return the samples [S] that are certain with these frames; there may be none.

        Raises:
            ValueError: the stream has ended, or the codes are not of this codec's shape.
        """
        if self._is_over:
            raise ValueError("the stream has ended; begin another one")
        if codes_KF.ndim != 2 or len(codes_KF) != self.codec.codebooks:
            raise ValueError(
                f"codes of shape {list(codes_KF.shape)} are not [{self.codec.codebooks}, frames]"
            )
        if not codes_KF.shape[1]:
            return torch.zeros(0)
        if isinstance(self.codec, ResumableCodec):
            waves_S, self._past = self.codec.decode_after(codes_KF, self._past, is_last=False)
            return waves_S
        return self._behind_context(codes_KF)

    def end(self) -> Tensor:
        """Return the samples [S] that are left, and end the stream."""
        if self._is_over:
            raise ValueError("the stream has ended; begin another one")
        self._is_over = True
        if not isinstance(self.codec, ResumableCodec):
            return torch.zeros(0)
        none_K0 = torch.zeros(self.codec.codebooks, 0, dtype=torch.long)
        waves_S, self._past = self.codec.decode_after(none_K0, self._past, is_last=True)
        return waves_S

    def _behind_context(self, codes_KF: Tensor) -> Tensor:
        joined_KF = codes_KF if self._kept_KF is None else torch.cat([self._kept_KF, codes_KF], 1)
        context = joined_KF.shape[1] - codes_KF.shape[1]
        waves_S = self.codec.decode(joined_KF)
        begin, end = self._samples(context), self._samples(joined_KF.shape[1])
        keep = min(self.codec.left_context_frames, joined_KF.shape[1])
        self._kept_KF = joined_KF[:, joined_KF.shape[1] - keep :]
        self._frames += codes_KF.shape[1]
        return waves_S[begin:end]

    def _samples(self, frames: int) -> int:
        return round(frames * self.codec.sample_rate / self.codec.frames_per_second)
