"""The data's part of continuing: seconds to the first batch after 1 %, 50 % and 99 % of an epoch, at any size.

    python benchmarks/resume.py [PREPARED_FOLDER] [--rows 1000000 1000000000] [--batch 8]

Beside it, as the baseline, accelerate's way on torch's RandomSampler, which walks through all batches before; it is left
out where that takes more than the memory of a list of all rows. With a folder of prepared data (a stage's `data/`), the
first batch is read from it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate import skip_first_batches as walk
from torch.utils.data import DataLoader, Dataset, RandomSampler

from manus.training.batches import Rows
from manus.training.order import ShuffledBatches, skip_first_batches

SHARES = (0.01, 0.5, 0.99)
LARGEST_WALKED = 20_000_000


class Numbers(Dataset[int]):
    """So many rows, each of which is its number."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        return index


def seconds_to_first(made: Any, skip: Any, batches: int) -> float:
    """Return how long it takes to skip batches and get the next."""
    began = time.perf_counter()
    next(iter(skip(made, batches)))
    return time.perf_counter() - began


def kept(batch: Sequence[Any]) -> Sequence[Any]:
    """Return a batch as it is."""
    return batch


def line(title: str, rows: Any, size: int) -> str:
    """Return a line of the table for a data set."""
    ours, theirs = [], []
    for share in SHARES:
        batches = int(len(rows) / size * share)
        shuffled = DataLoader(rows, batch_sampler=ShuffledBatches(len(rows), size, 0), collate_fn=kept)
        ours.append(seconds_to_first(shuffled, skip_first_batches, batches))
        if len(rows) <= LARGEST_WALKED:
            drawn = DataLoader(rows, batch_size=size, sampler=RandomSampler(rows), collate_fn=kept)
            theirs.append(seconds_to_first(drawn, walk, batches))
    walked = [f"{1000 * seconds:.0f}" for seconds in theirs] or ["-"] * len(SHARES)
    cells = [*(f"{1000 * seconds:.1f}" for seconds in ours), *walked]
    return f"| {title} | {len(rows):,} | {' | '.join(cells)} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000, 1_000_000_000])
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    print("| data | rows | ms at 1 % | at 50 % | at 99 % | accelerate: ms at 1 % | at 50 % | at 99 % |")
    print("|---|---|---|---|---|---|---|---|")
    for count in given.rows:
        print(line("numbers", Numbers(count), given.batch), flush=True)
    if given.prepared:
        from manus.data.prepared import open_samples

        samples = open_samples(given.prepared)
        for title, length in (("samples", None), ("packed rows", getattr(samples, "max_length", None))):
            if title == "samples" or length:
                print(line(title, Rows(samples, length), given.batch), flush=True)


if __name__ == "__main__":
    main()
