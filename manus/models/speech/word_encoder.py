"""A word's vector: from its letters, and from what the language model makes of it. Knows nothing of sound.

Shape suffixes: B batch, N words, L letters (bytes of UTF-8), S numbers from the language model, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MOST_LETTERS = 24
LETTERS = 257  # a byte and one; 0 is no letter
LETTER_WIDTH = 96
NO_LETTER = -1e4


class WordEncoder(nn.Module):
    """Convolutions over the letters and their maximum, plus the two halves of a word's state, each normalised.

    Letters say how a word sounds that was never heard in training; the language model's state says what it
    means where it stands, and is all there is of a word in scripts whose letters do not sound.
    """

    def __init__(self, width: int, text_size: int) -> None:
        """Args: the width of a word's vector; how many numbers come from the language model, 0 for none."""
        super().__init__()
        if text_size % 2:
            raise ValueError(f"text_size is {text_size}; it is two halves of one size: embedding and state")
        self.letters = nn.Embedding(LETTERS, LETTER_WIDTH, padding_idx=0)
        self.places = nn.Embedding(MOST_LETTERS, LETTER_WIDTH)
        self.near = nn.Conv1d(LETTER_WIDTH, width, 3, padding=1)
        self.nearer = nn.Conv1d(width, width, 3, padding=1)
        self.spelled = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.text_size = text_size
        if text_size:
            self.halves = nn.ModuleList(nn.LayerNorm(text_size // 2) for _ in range(2))
            self.meant = nn.Linear(text_size, width)

    def forward(self, letters_BNL: Tensor, states_BNS: Tensor | None, is_word_BN: Tensor) -> Tensor:
        """Return the vectors [B, N, D] of words; zero where there is none.

        Raises:
            ValueError: the states are missing, or are there and not wanted.
        """
        if (states_BNS is not None) != bool(self.text_size):
            raise ValueError(
                "this talker reads states of the language model, and the words have none"
                if self.text_size
                else "this talker reads letters only (text_size 0), and the words have states"
            )
        words_BND = self._spelling(letters_BNL.flatten(0, 1)).view(*letters_BNL.shape[:2], -1)
        if states_BNS is not None:
            parts = states_BNS.to(words_BND.dtype).chunk(2, -1)
            normed = [norm(squeezed(part)) for norm, part in zip(self.halves, parts, strict=True)]
            words_BND = words_BND + self.meant(torch.cat(normed, -1))
        there: Tensor = words_BND * is_word_BN[..., None].to(words_BND.dtype)
        return there

    def _spelling(self, letters_WL: Tensor) -> Tensor:
        """Return what the letters of words tell [W, D]."""
        length = letters_WL.shape[1]
        is_letter_W1L = (letters_WL > 0)[:, None]
        there = is_letter_W1L.to(self.places.weight.dtype)
        spelled = (self.letters(letters_WL) + self.places.weight[:length]).transpose(1, 2) * there
        near = F.gelu(self.near(spelled)) * there
        nearer = (near + F.gelu(self.nearer(near))).masked_fill(~is_letter_W1L, NO_LETTER)
        highest = nearer.amax(2).masked_fill(~is_letter_W1L.any(2), 0.0)
        vectors: Tensor = self.spelled(highest)
        return vectors


def squeezed(numbers: Tensor) -> Tensor:
    """Return numbers on the scale of their median, large ones as their logarithms, about.

    A few places of a language model's states hold hundreds of times what the others do (Sun et al. 2024,
    Massive Activations, arXiv 2402.17762), most of all at the first token: nothing else would be left of them.
    """
    scale = numbers.abs().median(-1, keepdim=True).values.clamp_min(1e-6)
    return torch.asinh(numbers / scale)
