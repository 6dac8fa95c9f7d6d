"""Frames of log-mel of a sound, and what of sound a mel says. Knows no codes, no pitch.

Shape suffixes: S samples, T frames of a hop, M mels, Q frequencies.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

SAMPLE_RATE = 16_000
FFT, HOP, MELS = 1024, 256, 64
LOWEST_HERTZ, HIGHEST_HERTZ = 40, 7900
FLOOR = 1e-4  # of magnitude; higher ones cost words
HALF = FFT // 2
OVERLAP = 1.5  # what squared Hann windows a quarter apart add up to


@functools.cache
def window() -> Tensor:
    """Return the Hann window [FFT]."""
    return torch.hann_window(FFT)


@functools.cache
def mel_filters() -> Tensor:
    """Return what each mel takes of each frequency: [Q, M]."""
    filters = mel_filter_bank(
        FFT // 2 + 1, MELS, LOWEST_HERTZ, HIGHEST_HERTZ, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
    )
    return torch.tensor(filters, dtype=torch.float32)


@functools.cache
def mel_inverse() -> Tensor:
    """Return the least-squares way back from mels to frequencies: [M, Q]."""
    inverse: Tensor = torch.linalg.pinv(mel_filters())
    return inverse


def spectra(waves_S: Tensor) -> Tensor:
    """Return the complex spectra [T, Q] of frames whose middles are a hop apart, the first at sample 0."""
    spectra_QT = torch.stft(waves_S, FFT, HOP, window=window(), return_complex=True, pad_mode="constant")
    return spectra_QT.T


def log_mel(waves_S: Tensor) -> Tensor:
    """Return the logarithms [T, M] of mels of magnitude, T = 1 + S // HOP."""
    return (spectra(waves_S).abs() @ mel_filters()).clamp_min(FLOOR).log()


def magnitudes(log_mel_TM: Tensor) -> Tensor:
    """Return smooth magnitudes [T, Q] that have these mels, about."""
    return (log_mel_TM.exp() @ mel_inverse()).clamp_min(0)
