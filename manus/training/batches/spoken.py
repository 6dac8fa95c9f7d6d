"""Clips for a talker: coded speech, and what the language model makes of its words. Knows no loss.

Shape suffixes: N words and the end, S numbers of a word from the language model.
"""

from __future__ import annotations

import json
import os
import random
from collections import defaultdict
from collections.abc import Sequence, Set
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from manus.files import write_json
from manus.guards.progress import progress
from manus.guards.run import RUN
from manus.models.speech.coded import CodedSpeech
from manus.models.speech.examples import Spoken, spliced
from manus.models.speech.words import WordReader, split_words

STATES, INDEX = "states.float32", "states.json"
TEXTS_AT_ONCE = 256


class WordStates:
    """What a language model makes of the words of texts, on disk: read once, not at every epoch."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        self.size = int(index["text_size"])
        self.values = np.memmap(folder / STATES, dtype="<f4", mode="r").reshape(-1, self.size)
        self.ends = np.cumsum([0, *index["units"]])

    def of(self, place: int) -> Tensor:
        """Return the states of a text's words and end: [N, S]."""
        return torch.from_numpy(
            np.array(self.values[self.ends[place] : self.ends[place + 1]], dtype=np.float32)
        )


def read_states(reader: WordReader, texts: Sequence[str], folder: Path) -> WordStates:
    """Return the states of texts, asking the language model where an earlier process has not finished that.

    The index is written last.

    Raises:
        Interrupted: a signal came.
    """
    if not (folder / INDEX).exists():
        folder.mkdir(parents=True, exist_ok=True)
        units: list[int] = []
        with (folder / STATES).open("wb") as file, progress("read texts", len(texts), "texts") as advance:
            for begin in range(0, len(texts), TEXTS_AT_ONCE):
                RUN.cross("reading the texts that are said")
                for states_NS in reader.read(texts[begin : begin + TEXTS_AT_ONCE]):
                    file.write(states_NS.numpy().astype("<f4").tobytes())
                    units.append(len(states_NS))
                advance(len(units))
            file.flush()
            os.fsync(file.fileno())
        write_json(folder / INDEX, {"text_size": reader.text_size, "units": units})
    return WordStates(folder)


class SpokenClips(Dataset[Spoken]):
    """Clips by number; those of later epochs have numbers of their own, and are drawn anew.

    A clip comes at one of its offsets, and a share of them is joined with another of the same speaker and
    length at a word (`spliced`); what a number gives depends on it and the seed alone. No text of `never`,
    which is held out, comes about by joining.
    """

    def __init__(
        self,
        coded: CodedSpeech,
        states: WordStates,
        voices: Sequence[str],
        spliced_share: float,
        never: Set[str],
        seed: int,
    ) -> None:
        self.coded, self.states, self.spliced_share, self.never, self.seed = (
            coded,
            states,
            spliced_share,
            never,
            seed,
        )
        self.voice_of = {name: index for index, name in enumerate(voices)}
        self.alike: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        for place, clip in enumerate(coded.clips):
            self.alike[clip["speaker"], len(split_words(clip["text"]))].append(place)

    def __len__(self) -> int:
        return len(self.coded)

    def __getitem__(self, number: int) -> Spoken:
        draw = random.Random(f"spoken:{self.seed}:{number}")
        place = number % len(self.coded)
        clip = self._clip(place, draw)
        if draw.random() >= self.spliced_share:
            return clip
        words = len(split_words(clip.text))
        other = self._clip(draw.choice(self.alike[self.coded.clips[place]["speaker"], words]), draw)
        joined = spliced(clip, other, draw) if words > 1 else clip
        return clip if joined.text in self.never else joined

    def _clip(self, place: int, draw: random.Random) -> Spoken:
        clip, shift = self.coded.clips[place], draw.randrange(self.coded.shifts)
        return Spoken(
            clip["text"],
            self.voice_of[clip["speaker"]],
            self.coded.codes_of(place, shift),
            clip["durations"][shift],
            self.states.of(place),
        )
