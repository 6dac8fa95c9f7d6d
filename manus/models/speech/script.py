"""Where in its script each row of a batch of speech is. Words are consumed in order; knows no codes.

Shape suffixes: B batch, N words, D width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STILL_LIKELY = 0.5


class Script:
    """The words of rows that speak side by side, and the one that each is at.

    A word ends where the chance that it has not ended yet falls below one half: the median of the duration
    that the actions foretell. So every word lasts a frame at least, and none is left out or said again.
    """

    def __init__(
        self,
        words_BND: Tensor,
        count_B: Tensor | None,
        longest_frames: int,
        further: Callable[[], Tensor | None] | None = None,
    ) -> None:
        """Begin at the first words.

        Args:
            words_BND: what is read of each word; of a script that comes bit by bit, of the first.
            count_B: how many words each row has.
            longest_frames: after so many frames a word is left, whatever the actions say.
            further: gives the next word [1, 1, D] of a script of one row that comes bit by bit, None behind
                its last.
        """
        self._words_BND, self._count_B, self._further = words_BND, count_B, further
        self._longest = longest_frames
        rows, device = len(words_BND), words_BND.device
        self._rows = torch.arange(rows, device=device)
        self.at_B = torch.zeros(rows, dtype=torch.long, device=device)
        self.since_B = torch.zeros_like(self.at_B)
        self._still_B = torch.ones(rows, device=device)
        self.is_speaking_B = torch.ones(rows, dtype=torch.bool, device=device)

    def word(self) -> Tensor:
        """Return what is read of the words that are being said: [B, 1, D]."""
        place_B = self.at_B if self._further is None else torch.zeros_like(self.at_B)
        return self._words_BND[self._rows, place_B][:, None]

    def step(self, goes_on_B: Tensor) -> None:
        """Take in how likely each row's word ends with the frame that was just made."""
        self._still_B = self._still_B * (1 - goes_on_B)
        ends_B = (self._still_B < STILL_LIKELY) | (self.since_B + 1 >= self._longest)
        self.since_B = torch.where(ends_B, 0, self.since_B + 1)
        self._still_B = torch.where(ends_B, 1.0, self._still_B)
        next_B = self.at_B + ends_B
        if self._further is not None:
            if bool(ends_B.any()):
                following = self._further()
                if following is None:
                    self.is_speaking_B = torch.zeros_like(self.is_speaking_B)
                else:
                    self._words_BND, self.at_B = following, next_B
            return
        assert self._count_B is not None, "a script that is whole has a number of words"
        self.is_speaking_B = self.is_speaking_B & (next_B < self._count_B)
        self.at_B = torch.minimum(next_B, self._count_B - 1)
