"""Makes sound of mels: pulses at the pitch where there is a voice, noise where there is none, shaped to the mels.

It goes forward only and keeps where it is in the pulses' phase and in the noise, so that what is made bit by
bit is what is made at once. Knows no codes.

Shape suffixes: S samples, T frames of a hop, M mels, Q frequencies, P pitches, C a frame with its context.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from manus.models.speech.pitch import CONTEXT, PitchPath, PitchReader, with_context
from manus.models.speech.spectrum import FFT, HALF, HOP, MELS, OVERLAP, SAMPLE_RATE, magnitudes, window

REACH = HALF // HOP  # hops on each side of a frame's middle that it covers
SILENT_HERTZ = 120.0  # how the phase goes on where nothing is heard of it
HIGHEST_HARMONIC_HERTZ = 7500
NOISE_SAMPLES = 1 << 16


@dataclass(frozen=True, eq=False)
class Made:
    """What is kept between calls: mels and pitches from the frame `first` on, and where the sound ends so far.

    `phase` is that of the pulses at `first`, in turns; `hops` counts what was given out.
    """

    first: int
    log_mel_TM: Tensor
    hertz_T: Tensor
    phase: float
    path: PitchPath | None
    hops: int


def beginning() -> Made:
    """Return what is kept before the first frame."""
    return Made(0, torch.zeros(0, MELS), torch.zeros(0), 0.0, None, 0)


def drawn_noise(seed: int) -> Tensor:
    """Return white noise that is repeated for ever: 4 seconds, after which no ear knows it again."""
    return torch.randn(NOISE_SAMPLES, generator=torch.Generator().manual_seed(seed))


def continued(
    reader: PitchReader, noise_S: Tensor, log_mel_TM: Tensor, past: Made, is_last: bool
) -> tuple[Tensor, Made]:
    """Return the samples that are certain with these frames, and what to keep.

    Args:
        reader: says the pitch.
        noise_S: of `drawn_noise`.
        log_mel_TM: the new frames.
        past: what the call before kept.
        is_last: whether no more come: then all frames end up as HOP samples each.
    """
    mels = torch.cat([past.log_mel_TM, log_mel_TM])
    end = past.first + len(mels)
    known = past.first + len(past.hertz_T)
    decided = end if is_last else max(known, end - CONTEXT)
    hertz, path = past.hertz_T, past.path
    if decided > known:
        seen = with_context(mels)[known - past.first : decided - past.first]
        further, path = reader.hertz(seen, past.path)
        hertz = torch.cat([hertz, further])
    low = past.first + (REACH if past.first else 0)
    high = end if is_last else decided - REACH
    hops = end if is_last else high - REACH
    if high <= low or hops <= past.hops:
        return torch.zeros(0), Made(past.first, mels, hertz, past.phase, path, past.hops)
    pulses_S, phases = _pulses(hertz, past.phase)
    sound_HS = _sound(mels, hertz, pulses_S, noise_S, past.first, low, high)
    begin = past.hops - low + REACH
    waves_S = sound_HS[begin : begin + hops - past.hops].reshape(-1)
    first = max(0, hops - REACH - 1)
    skip = first - past.first
    return waves_S, Made(first, mels[skip:], hertz[skip:], phases[skip], path, hops)


def _pulses(hertz_T: Tensor, phase: float) -> tuple[Tensor, list[float]]:
    """Return a train of pulses with all harmonics alike, silent where there is no pitch, and its phases.

    Between the middles of frames the pitch goes straight from one to the next; the last is held. The pulses
    are cosines of all harmonics, summed (the Dirichlet kernel).
    """
    behind = torch.cat([hertz_T[1:], hertz_T[-1:]])
    start = torch.where(hertz_T > 0, hertz_T, behind)
    start = torch.where(start > 0, start, SILENT_HERTZ)
    stop = torch.where(behind > 0, behind, start)
    ramp_S = torch.arange(HOP) / HOP
    frequency_S = (start[:, None] + (stop - start)[:, None] * ramp_S).reshape(-1)
    turns_S = phase + (frequency_S.double() / SAMPLE_RATE).cumsum(0)
    phases = [phase, *(turns_S[HOP - 1 :: HOP] % 1).tolist()]
    angle_S = 2 * math.pi * (turns_S % 1).float()
    harmonics_S = (HIGHEST_HARMONIC_HERTZ / frequency_S).floor() + 0.5
    sine_S = 2 * (angle_S / 2).sin()
    is_peak_S = sine_S.abs() < 2e-3
    kernel_S = (harmonics_S * angle_S).sin() / torch.where(is_peak_S, 1.0, sine_S)
    pulses_S = torch.where(is_peak_S, harmonics_S, kernel_S) - 0.5
    near_T2 = torch.stack([hertz_T, behind], 1) > 0
    return pulses_S * near_T2.flatten().repeat_interleave(HOP // 2), phases


def _frames(samples_S: Tensor, first: int, low: int, high: int) -> Tensor:
    """Return the spectra [T, Q] of the frames from `low` to `high`, of samples that start at `first`."""
    begin = (low - first) * HOP - HALF
    length = (high - low - 1) * HOP + FFT
    padded = F.pad(samples_S, (max(0, -begin), max(0, begin + length - len(samples_S))))
    cut = padded[max(0, begin) :][:length]
    spectra: Tensor = torch.fft.rfft(cut.unfold(0, FFT, HOP) * window())
    return spectra


def _sound(
    mels_TM: Tensor, hertz_T: Tensor, pulses_S: Tensor, noise_S: Tensor, first: int, low: int, high: int
) -> Tensor:
    """Return the sound of the frames from `low` to `high`, as hops [H, HOP], the first REACH before `low`."""
    places = torch.arange(first * HOP, first * HOP + len(pulses_S)) % len(noise_S)
    voiced = _frames(pulses_S, first, low, high)
    unvoiced = _frames(noise_S[places], first, low, high)
    is_voiced_T1 = (hertz_T[low - first : high - first] > 0)[:, None]
    excited = torch.where(is_voiced_T1, voiced, unvoiced)
    phases = excited / excited.abs().clamp_min(1e-8)
    shaped = phases * magnitudes(mels_TM[low - first : high - first])
    parts = (torch.fft.irfft(shaped, FFT) * window() / OVERLAP).unflatten(1, (FFT // HOP, HOP))
    hops: Tensor = parts.new_zeros(len(parts) + FFT // HOP - 1, HOP)
    for place in range(FFT // HOP):
        hops[place : place + len(parts)] += parts[:, place]
    return hops
