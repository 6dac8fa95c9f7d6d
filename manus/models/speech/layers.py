"""The layers that a talker is made of. Know nothing of words, codes or voices.

Shape suffixes: B batch, H heads, T frames, D width, E width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROTARY_BASE = 10_000.0


class PastFrames:
    """The keys and values of the latest frames that one layer has read, as many as it looks back to."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def joined(self, keys_BHTE: Tensor, values_BHTE: Tensor, window: int) -> tuple[Tensor, Tensor]:
        """Remember new frames, forget what no later frame sees, return all that is remembered."""
        if self.keys is not None and self.values is not None:
            keys_BHTE = torch.cat([self.keys, keys_BHTE], 2)
            values_BHTE = torch.cat([self.values, values_BHTE], 2)
        self.keys, self.values = keys_BHTE[:, :, -window:], values_BHTE[:, :, -window:]
        return self.keys, self.values


class Block(nn.Module):
    """A transformer layer, normalised before each half, whose frames see themselves and some before them."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, frames_BTD: Tensor, turns: tuple[Tensor, Tensor], mask_TT: Tensor | None, past: PastFrames | None,
        window: int,
    ) -> Tensor:  # fmt: skip
        """Return the frames after this layer.

        Args:
            frames_BTD: what it reads; with a past, the one frame that is new.
            turns: cosines and sines of `rotation`.
            mask_TT: which frames see which; None where all that is remembered is seen.
            past: of earlier frames, which is brought up to date.
            window: how many frames a frame sees, itself included.
        """
        batch, length, width = frames_BTD.shape
        joined = self.queries_keys_values(self.attention_norm(frames_BTD))
        queries, keys, values = joined.view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        queries, keys = rotated(queries, turns), rotated(keys, turns)
        if past is not None:
            keys, values = past.joined(keys, values, window)
        seen_BHTE = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask_TT)
        attended = self.attended(seen_BHTE.transpose(1, 2).reshape(batch, length, width))
        frames_BTD = frames_BTD + self.dropout(attended)
        after: Tensor = frames_BTD + self.dropout(self.down(F.gelu(self.up(self.feed_norm(frames_BTD)))))
        return after


def rotation(positions_T: Tensor, head_width: int) -> tuple[Tensor, Tensor]:
    """Return the cosines and sines [T, E/2] that turn queries and keys (Su et al. 2021, arXiv 2104.09864)."""
    halves = torch.arange(0, head_width, 2, device=positions_T.device).float() / head_width
    angles = positions_T.float()[:, None] * ROTARY_BASE**-halves
    return angles.cos(), angles.sin()


def rotated(heads_BHTE: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Return queries or keys, turned by their positions."""
    first, second = heads_BHTE.chunk(2, -1)
    cosines, sines = (each.to(heads_BHTE.dtype) for each in turns)
    return torch.cat([first * cosines - second * sines, first * sines + second * cosines], -1)


def looking_back(length: int, window: int, device: torch.device) -> Tensor:
    """Return a mask [T, T]: a frame sees itself and the `window` - 1 frames before it."""
    places = torch.arange(length, device=device)
    behind = places[:, None] - places[None]
    return (behind >= 0) & (behind < window)


def two_layers(width: int, outputs: int) -> nn.Sequential:
    """Return a head: what is read off a frame."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, outputs))
