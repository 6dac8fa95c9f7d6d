"""Combines what several stages changed in one parameter into one change. Knows nothing of models or files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from peft.utils import merge_utils
from torch import Tensor

from manus.models.merging.settings import ELECTING, Combine, MergeSettings


def combined(
    changes: Sequence[Tensor], weights: Sequence[float], combine: Combine, settings: MergeSettings, rank: int
) -> Tensor:
    """Return the one change that `combine` makes of several.

    Args:
        changes: trained minus original values of one parameter, one tensor per stage, all of one shape.
        weights: a factor per change.
        combine: the method; those with randomness draw from torch's global generator.
        settings: the density, and how a sign is elected.
        rank: how many directions of a matrix `svd` keeps.
    """
    factors = torch.tensor(weights, dtype=changes[0].dtype)
    if combine in ("sum", "linear", "svd"):
        total: Tensor = merge_utils.task_arithmetic(list(changes), factors)
        return strongest_directions(total, rank) if combine == "svd" and total.ndim >= 2 else total
    signs = (settings.majority_sign,) if combine in ELECTING else ()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The density")  # 1.0 prunes nothing, as the recipe asked
        merged: Tensor = getattr(merge_utils, combine)(list(changes), factors, settings.density, *signs)
    return merged


def strongest_directions(change: Tensor, rank: int) -> Tensor:
    """Return the nearest matrix of at most `rank` (of a stack of matrices: each)."""
    left, sizes, right = torch.linalg.svd(change, full_matrices=False)
    nearest: Tensor = (left[..., :rank] * sizes[..., None, :rank]) @ right[..., :rank, :]
    return nearest
