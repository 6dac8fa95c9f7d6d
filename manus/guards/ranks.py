"""What several ranks of one run share: who they are, and a common answer to what each of them was asked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from manus.errors import ManusError

T = TypeVar("T")


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
    if not _have_met():
        return list(counts)
    import torch
    import torch.distributed as dist

    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(list(counts), dtype=torch.int64, device=device)
    dist.all_reduce(total)
    return [int(count) for count in total.tolist()]


def gathered(value: T) -> list[T]:
    """Return the values of all ranks, in their order, on every rank; for what is rare or small."""
    if not _have_met():
        return [value]
    import torch.distributed as dist

    values: list[T] = [value] * world_size()
    dist.all_gather_object(values, value)
    return values


@contextmanager
def failing_together() -> Iterator[None]:
    """Let what one rank raises inside end all of them, where the others would wait for it in a collective.

    All ranks must come here alike, as often as each other.

    Raises:
        ManusError: what the first of the ranks that failed raised.
        Exception: on a rank that failed unexpectedly, its own.
    """
    failed: Exception | None = None
    try:
        yield
    except Exception as error:
        failed = error
    if not summed([failed is not None])[0]:
        return
    is_expected = isinstance(failed, ManusError | None)
    told = failed if is_expected else ManusError(f"rank {rank()}: {type(failed).__name__}: {failed}")
    errors = [error for error in gathered(told) if error is not None]
    if failed is not None and (not is_expected or len(errors) == 1):
        raise failed
    raise errors[0]


def _have_met() -> bool:
    """Tell whether there are several ranks that can talk to each other."""
    if world_size() == 1:
        return False
    import torch.distributed as dist

    return dist.is_initialized()
