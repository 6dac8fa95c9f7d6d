"""Mimi (Défossez et al. 2024, arXiv 2410.00037): 12.5 frames of 24 kHz a second, the first 8 of its codebooks.

Its decoder is causal. What is decoded as it comes has as much left context as one layer of the decoder's
transformer sees. All layers together see further: on a small model with random weights the difference to
decoding at once is under 1e-4 of full scale; on the published weights it was not measured.

Shape suffixes: K codebooks, F frames, S samples.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from transformers import MimiModel, PreTrainedModel

from manus.models.speech.codecs import SpeechCodec

MODEL_TYPE = "mimi"
CODEBOOKS = 8
CONVOLUTION_FRAMES = 4  # more than the decoder's convolutions reach back


class Mimi:
    """A Mimi model as a codec; `codebooks` of its own are spoken with, the first ones."""

    def __init__(self, model: MimiModel, codebooks: int = CODEBOOKS) -> None:
        """Raises: ValueError: the model has fewer codebooks."""
        config = model.config
        if codebooks > config.num_quantizers:
            raise ValueError(f"this Mimi has {config.num_quantizers} codebooks, not {codebooks}")
        self.model, self.codebooks = model, codebooks
        self.sample_rate, self.codebook_size = int(config.sampling_rate), int(config.codebook_size)
        self.frames_per_second = float(config.frame_rate)
        steps_a_frame = config.encodec_frame_rate / config.frame_rate
        self.left_context_frames = math.ceil(config.sliding_window / steps_a_frame) + CONVOLUTION_FRAMES

    @torch.no_grad()
    def encode(self, waves_S: Tensor) -> Tensor:
        """Return the codes [K, F] of a sound at the model's rate."""
        placed_11S = waves_S.to(self.model.device, self.model.dtype)[None, None]
        codes_KF: Tensor = self.model.encode(placed_11S, num_quantizers=self.codebooks).audio_codes[0]
        return codes_KF.cpu()

    @torch.no_grad()
    def decode(self, codes_KF: Tensor) -> Tensor:
        """Return the sound [S] of codes."""
        waves_S: Tensor = self.model.decode(codes_KF[None].to(self.model.device)).audio_values[0, 0]
        return waves_S.float().cpu()


def codec(model: PreTrainedModel) -> SpeechCodec:
    """Return a loaded Mimi with its first 8 codebooks, or all where it has fewer."""
    return Mimi(model, min(CODEBOOKS, model.config.num_quantizers))
