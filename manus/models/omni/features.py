"""From what encoders see to what a language model reads: grids of patches, sound stacks, projectors, places.

Knows nothing of encoders, language models or checkpoints.
"""

# Shapes: B rows, T tokens of a row, H hidden size of the language model, D of an encoder, h x w patches, N
# positions.

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RMS_OF_GELU = 0.652  # of GELU on standard normal numbers: outputs start at a size of about 1


class Projector(nn.Module):
    """LayerNorm, Linear, GELU, Linear; its output starts at the size of the model's text embeddings."""

    def __init__(self, encoder_size: int, hidden_size: int, gain: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(encoder_size)
        self.linear_in = nn.Linear(encoder_size, hidden_size)
        self.linear_out = nn.Linear(hidden_size, hidden_size)
        self.gain = gain

    def initialise(self) -> None:
        """Draw new weights, such that outputs have a root mean square of about `gain`."""
        nn.init.ones_(self.norm.weight)
        nn.init.zeros_(self.norm.bias)
        for layer, size in ((self.linear_in, 1.0), (self.linear_out, 1 / RMS_OF_GELU)):
            nn.init.normal_(layer.weight, std=size * layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, states: Tensor) -> Tensor:
        """Return features [..., H] of states [..., D]."""
        features: Tensor = self.linear_out(F.gelu(self.linear_in(self.norm(states)))) * self.gain
        return features


def shuffled(patches_IhwD: Tensor, size: int) -> Tensor:
    """Join `size` x `size` neighbouring patches into one; at an odd edge the last ones count twice.

    Returns:
        [I, ceil(h/size), ceil(w/size), size * size * D]
    """
    images, rows, columns, width = patches_IhwD.shape
    high, wide = -(-rows // size), -(-columns // size)
    row_numbers = torch.arange(high * size, device=patches_IhwD.device).clamp(max=rows - 1)
    column_numbers = torch.arange(wide * size, device=patches_IhwD.device).clamp(max=columns - 1)
    whole = patches_IhwD[:, row_numbers][:, :, column_numbers]
    parts = whole.reshape(images, high, size, wide, size, width).permute(0, 1, 3, 2, 4, 5)
    return parts.reshape(images, high, wide, size * size * width)


def pooled(features_IhwH: Tensor, size: int) -> Tensor:
    """Average `size` x `size` neighbouring tokens of each frame: [I, ceil(h/size), ceil(w/size), H]."""
    _, rows, columns, _ = features_IhwH.shape
    target = (-(-rows // size), -(-columns // size))
    return F.adaptive_avg_pool2d(features_IhwH.permute(0, 3, 1, 2), target).permute(0, 2, 3, 1)


def stacked(states_AND: Tensor, size: int) -> Tensor:
    """Join `size` positions of sound into one, the last with zeros: [A, ceil(N/size), size * D]."""
    clips, positions, width = states_AND.shape
    padded = F.pad(states_AND, (0, 0, 0, -positions % size))
    return padded.reshape(clips, -1, size * width)


def shares(places: Sequence[int], tokens: Sequence[int], kind: str) -> list[list[int]]:
    """Deal media out to rows, in order.

    Args:
        places: how many placeholders each row has.
        tokens: how many tokens each medium has.
        kind: of the media, for the message.

    Returns:
        The numbers of the media of each row.

    Raises:
        ValueError: they do not fill the places exactly.
    """
    wrong = (
        f"{kind}: {sum(places)} placeholder tokens in the text, {sum(tokens)} features of {len(tokens)} media"
    )
    if sum(places) != sum(tokens):
        raise ValueError(wrong)
    dealt: list[list[int]] = []
    number = 0
    for row, wanted in enumerate(places):
        mine: list[int] = []
        while wanted > 0:
            mine.append(number)
            wanted -= tokens[number]
            number += 1
        if wanted < 0:
            raise ValueError(f"{wrong}; row {row} ends within a medium")
        dealt.append(mine)
    return dealt
