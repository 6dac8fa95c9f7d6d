"""Clips that a talker learns from, and batches of them. Knows no codec, no talker and no sound.

Shape suffixes: B batch, K codebooks, F or T frames, N words and the end, S numbers of a word.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from manus.models.speech.words import split_words, words_batch


@dataclass(frozen=True, eq=False)
class Spoken:
    """A clip: its text, whose voice it is, its codes [K, F], how many frames each word and the end last.

    `states` are what the language model makes of the words [N, S]; None for a talker of letters.
    """

    text: str
    voice: int
    codes: Tensor
    durations: list[int]
    states: Tensor | None


def durations_of(starts_seconds: Sequence[float], frames: int, frames_per_second: float) -> list[int]:
    """Return how many frames each word and the end last: whole numbers of one or more, `frames` in all.

    Args:
        starts_seconds: when each word starts and, last, when speech ends; what comes before the first word
            belongs to it.
        frames: how many the clip has.
        frames_per_second: of the codec.

    Raises:
        ValueError: there are fewer frames than words.
    """
    count = len(starts_seconds)
    if frames < count:
        raise ValueError(f"{count - 1} words and the end do not fit into {frames} frames")
    starts = [0]
    for seconds in starts_seconds[1:]:
        starts.append(max(starts[-1] + 1, round(seconds * frames_per_second)))
    for place in range(count - 1, 0, -1):
        starts[place] = min(starts[place], frames - (count - place))
    return [end - begin for begin, end in pairwise([*starts, frames])]


def spliced(first: Spoken, second: Spoken, draw: random.Random) -> Spoken:
    """Return two clips of one voice, cut before the same word and joined: a sentence that nobody said.

    So no sentence can be learned by heart. The caller looks whether the text is one that must stay unseen.

    Raises:
        ValueError: the voices differ, or a text has fewer than two words.
    """
    if first.voice != second.voice:
        raise ValueError(f"clips of the voices {first.voice} and {second.voice} cannot be joined")
    words, others = split_words(first.text), split_words(second.text)
    if min(len(words), len(others)) < 2:
        raise ValueError(f"{first.text!r} and {second.text!r} cannot both be cut between words")
    cut = draw.randrange(1, min(len(words), len(others)))
    before, behind = sum(first.durations[:cut]), sum(second.durations[:cut])
    states = None
    if first.states is not None and second.states is not None:
        states = torch.cat([first.states[:cut], second.states[cut:]])
    return Spoken(
        " ".join(words[:cut] + others[cut:]),
        first.voice,
        torch.cat([first.codes[:, :before], second.codes[:, behind:]], 1),
        first.durations[:cut] + second.durations[cut:],
        states,
    )


def collate(clips: Sequence[Spoken]) -> dict[str, Tensor]:
    """Return a batch as `Talker.forward` takes it.

    letters, states, is_word as `words_batch`; voice [B]; codes [B, K, T]; is_frame [B, T]; word [B, T], the
    place of the word that is being said; since [B, T], the frames that it has lasted; goes_on [B, T], whether
    the next frame is of another word, or of none.

    Raises:
        ValueError: a clip's durations do not fit its codes or its words, or some clips have states and some
            none.
    """
    if len({clip.states is None for clip in clips}) > 1:
        raise ValueError("some clips have states of the language model and some have none")
    states = [clip.states for clip in clips if clip.states is not None]
    batch = words_batch([clip.text for clip in clips], states or None)
    longest = max(clip.codes.shape[1] for clip in clips)
    shape = (len(clips), longest)
    batch["voice"] = torch.tensor([clip.voice for clip in clips])
    batch["codes"] = torch.zeros(len(clips), clips[0].codes.shape[0], longest, dtype=torch.long)
    batch["is_frame"] = torch.zeros(shape, dtype=torch.bool)
    batch["word"] = torch.zeros(shape, dtype=torch.long)
    batch["since"] = torch.zeros(shape, dtype=torch.long)
    batch["goes_on"] = torch.zeros(shape)
    for row, clip in enumerate(clips):
        _check(clip, int(batch["is_word"][row].sum()))
        frames = clip.codes.shape[1]
        lengths = torch.tensor(clip.durations)
        batch["codes"][row, :, :frames] = clip.codes
        batch["is_frame"][row, :frames] = True
        batch["word"][row, :frames] = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        ends = lengths.cumsum(0)
        batch["since"][row, :frames] = torch.arange(frames) - torch.repeat_interleave(ends - lengths, lengths)
        batch["goes_on"][row, ends - 1] = 1.0
    return batch


def _check(clip: Spoken, units: int) -> None:
    frames = clip.codes.shape[1]
    if len(clip.durations) != units:
        raise ValueError(
            f"{clip.text!r} has {units - 1} words and the end, but {len(clip.durations)} lengths"
        )
    if sum(clip.durations) != frames or min(clip.durations) < 1:
        raise ValueError(f"the words of {clip.text!r} last {clip.durations} frames; it has {frames}")
