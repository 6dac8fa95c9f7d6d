"""Small talkers, clips and voices for tests of speech; nothing here is heard by anybody."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from manus.models.speech.examples import Spoken, durations_of
from manus.models.speech.talker import Talker, TalkerConfig
from manus.models.speech.words import split_words

TEXT_SIZE = 8
SIZES = TalkerConfig(
    codebooks=3, codebook_size=16, text_size=TEXT_SIZE, hidden=32, layers=2, heads=4, voices=3, window=6
)
SENTENCES = ("The old captain sings.", "One two three four five six seven.", "No.")


def talker(seed: int = 0) -> Talker:
    """Return a small talker that has learned nothing."""
    found = Talker(SIZES)
    found.reset_parameters(seed)
    return found.eval()


def clip(text: str, voice: int = 0, frames: int = 20, seed: int = 0) -> Spoken:
    """Return a clip of drawn codes and states whose words are about alike in length."""
    draw = torch.Generator().manual_seed(seed)
    count = len(split_words(text)) + 1
    return Spoken(
        text,
        voice,
        torch.randint(0, SIZES.codebook_size, (SIZES.codebooks, frames), generator=draw),
        durations_of([place * frames / count for place in range(count)], frames, 1.0),
        torch.randn(count, TEXT_SIZE, generator=draw),
    )


def buzz(hertz: float, seconds: float = 1.0, loud: float = 0.1) -> Tensor:
    """Return a voice-like sound at 16 kHz: harmonics that fade with their number."""
    time_S = torch.arange(round(seconds * 16_000)) / 16_000
    count = int(7000 // hertz)
    parts = [torch.sin(2 * math.pi * hertz * (n + 1) * time_S + n * n) / (n + 1) for n in range(count)]
    return loud * torch.stack(parts).sum(0)


def hiss(seconds: float = 1.0, loud: float = 0.03, seed: int = 0) -> Tensor:
    """Return noise at 16 kHz."""
    return loud * torch.randn(round(seconds * 16_000), generator=torch.Generator().manual_seed(seed))


def said(parts: Sequence[Tensor]) -> Tensor:
    """Return sounds one after the other, with a little silence around each."""
    silence = torch.zeros(1600)
    return torch.cat([piece for part in parts for piece in (silence, part)] + [silence])
