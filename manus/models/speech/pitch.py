"""The pitch of a voice: tracked in sound, and read off mels by a small network that learned it from there.

Shape suffixes: S samples, T frames of a hop, M mels, P pitches and none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from manus.models.speech.spectrum import HOP, MELS, SAMPLE_RATE

LOWEST_HERTZ, PITCHES, AN_OCTAVE = 65.0, 64, 26
SLOWEST_HERTZ, FASTEST_HERTZ, FRAME = 70, 350, 1024
PERIODIC = 0.55  # of the autocorrelation: what is voiced
QUIETEST = 3e-5  # of power: what is heard at all
OCTAVE_BIAS, JUMP_COST = 0.02, 2.0  # of the tracker; short lags are favoured a little
CONTEXT = 2  # frames on each side that the network sees
STEP_COST, FARTHEST_STEP = 0.15, 30  # of the path through what the network says, a pitch
AROUND = 2  # pitches on each side of the likeliest that are averaged


def track(waves_S: Tensor) -> Tensor:
    """Return the pitch in hertz of each frame [T], 0 where it has none, T = 1 + S // HOP.

    Normalised autocorrelation, and the cheapest path through it (after Boersma 1993 and Talkin 1995).
    """
    score_TL, voiced_T = _periodicity(waves_S)
    lags = torch.arange(SAMPLE_RATE // FASTEST_HERTZ, SAMPLE_RATE // SLOWEST_HERTZ + 1).float()
    jump = JUMP_COST * (lags[:, None] / lags[None]).log2().abs()
    cost, back = -score_TL[0], []
    for frame in range(1, len(score_TL)):
        if voiced_T[frame] and voiced_T[frame - 1]:
            least, source = (cost[:, None] + jump).min(0)
        else:
            least, source = cost.min().expand(len(lags)), cost.argmin().expand(len(lags))
        back.append(source)
        cost = least - score_TL[frame]
    path = [int(cost.argmin())]
    for source in reversed(back):
        path.append(int(source[path[-1]]))
    return torch.where(voiced_T, SAMPLE_RATE / lags[torch.tensor(path[::-1])], 0.0)


def _periodicity(waves_S: Tensor) -> tuple[Tensor, Tensor]:
    """Return how like itself each frame is at each lag, and which frames are voiced."""
    padded = F.pad(waves_S, (FRAME // 2, FRAME // 2))
    frames = padded.unfold(0, FRAME, HOP)[: 1 + len(waves_S) // HOP]
    frames = frames - frames.mean(1, keepdim=True)
    shortest, longest = SAMPLE_RATE // FASTEST_HERTZ, SAMPLE_RATE // SLOWEST_HERTZ
    width = FRAME - longest
    whole = torch.fft.rfft(frames, 2 * FRAME)
    start = torch.fft.rfft(frames[:, :width], 2 * FRAME)
    products = torch.fft.irfft(start.conj() * whole, 2 * FRAME)[:, : longest + 1]
    power = F.pad((frames * frames).cumsum(1), (1, 0))
    lags = torch.arange(longest + 1)
    own, moved = power[:, width], power[:, width + lags] - power[:, lags]
    alike = (products / (own[:, None] * moved + 1e-6).sqrt())[:, shortest:]
    voiced = (alike.max(1).values > PERIODIC) & (own / width > QUIETEST)
    return alike - OCTAVE_BIAS * (lags[shortest:] / shortest).log2(), voiced


def to_classes(hertz_T: Tensor) -> Tensor:
    """Return the class of each pitch: 0 for none, then 1 to PITCHES."""
    steps = (hertz_T.clamp_min(1) / LOWEST_HERTZ).log2() * AN_OCTAVE
    return torch.where(hertz_T > 0, steps.round().clamp(0, PITCHES - 1).long() + 1, 0)


@dataclass(frozen=True, eq=False)
class PitchPath:
    """How likely each pitch is after the frames so far, as the way there makes it."""

    scores_P: Tensor


class PitchReader(nn.Module):
    """Says of five frames of mel which pitch the middle one has, if any."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.inner = nn.Linear((2 * CONTEXT + 1) * MELS, width)
        self.outer = nn.Linear(width, PITCHES + 1)

    def forward(self, seen_TC: Tensor) -> Tensor:
        """Return scores [T, P] of what `with_context` gives."""
        scores: Tensor = self.outer(F.gelu(self.inner((seen_TC + 4) / 3)))
        return scores

    def hertz(self, seen_TC: Tensor, past: PitchPath | None) -> tuple[Tensor, PitchPath]:
        """Return the pitch of frames [T], 0 where there is none, and how to go on behind them.

        The path goes forward only: what comes later changes nothing, so that sound can be made as it comes.
        """
        logits = self(seen_TC).log_softmax(1)
        is_voiced_T = logits[:, 0] < -0.6931  # likelier than not
        places = torch.arange(PITCHES, dtype=torch.float32)
        cost = STEP_COST * (places[:, None] - places[None]).abs().clamp(max=FARTHEST_STEP)
        scores = None if past is None else past.scores_P
        found = []
        for voiced, own in zip(is_voiced_T.tolist(), logits[:, 1:], strict=True):
            moved = torch.zeros(PITCHES) if scores is None else (scores[:, None] - cost).max(0).values
            scores = moved + own if voiced else moved
            scores = scores - scores.max()
            found.append(_average(scores, places) if voiced else torch.zeros(()))
        if scores is None:
            return torch.zeros(0), PitchPath(torch.zeros(PITCHES))
        return torch.stack(found), PitchPath(scores)


def _average(scores_P: Tensor, places_P: Tensor) -> Tensor:
    """Return the pitch in hertz around the likeliest one."""
    best = int(scores_P.argmax())
    near = slice(max(0, best - AROUND), best + AROUND + 1)
    place = (scores_P[near].softmax(0) * places_P[near]).sum()
    return LOWEST_HERTZ * 2 ** (place / AN_OCTAVE)


def with_context(log_mel_TM: Tensor) -> Tensor:
    """Return each frame with those beside it [T, 5 M]; at the ends the outermost one is repeated."""
    padded = F.pad(log_mel_TM.T[None], (CONTEXT, CONTEXT), mode="replicate")[0].T
    return padded.unfold(0, 2 * CONTEXT + 1, 1).flatten(1)
