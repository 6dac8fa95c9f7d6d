"""What several ranks of one run share: who they are, and a common answer to what each of them was asked."""

from __future__ import annotations

import os
from collections.abc import Sequence


def world_size() -> int:
    """Return how many processes train together, as torchrun says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the number of this process among them."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Tell whether this process speaks and writes for all."""
    return rank() == 0


def say(text: str) -> None:
    """Print for the user, once for all ranks."""
    if is_first():
        print(f"  {text}", flush=True)


def summed(counts: Sequence[int]) -> list[int]:
    """Return the sums of counts over all ranks, so that all decide alike at the same step.

    Before the ranks have met, and in a run of one, the counts are returned as they are.
    """
    if world_size() == 1:
        return list(counts)
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        return list(counts)
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(list(counts), dtype=torch.int64, device=device)
    dist.all_reduce(total)
    return [int(count) for count in total.tolist()]
