"""The order of large data is the same wherever one begins, and ranks share it without loss."""

from __future__ import annotations

import time
from itertools import islice

import numpy as np
import pytest

from manus.training.order import ShuffledBatches


def batches(order: ShuffledBatches, epoch: int = 0, after: int = 0) -> list[list[int]]:
    order.set_epoch(epoch)
    order.skip(after)
    return list(order)


@pytest.mark.parametrize(("rows", "size", "world"), [(10, 3, 1), (9001, 4, 1), (10, 3, 2), (9001, 4, 3), (1, 2, 2)])
def test_it_goes_on_where_it_stopped(rows: int, size: int, world: int) -> None:
    for rank in range(world):
        order = ShuffledBatches(rows, size, 7, rank, world)
        for epoch in (0, 3):
            whole = batches(order, epoch)
            assert len(whole) == len(order)
            for after in {0, 1, len(whole) // 2, len(whole) - 1}:
                assert batches(order, epoch, after) == whole[after:]
    assert batches(order, 0) != batches(order, 1) or rows < 4


@pytest.mark.parametrize(("rows", "size", "world"), [(10, 3, 1), (101, 4, 1), (10, 3, 2), (101, 4, 3)])
def test_an_epoch_shows_every_row(rows: int, size: int, world: int) -> None:
    by_rank = [batches(ShuffledBatches(rows, size, 1, rank, world)) for rank in range(world)]
    seen = [row for mine in by_rank for batch in mine for row in batch]
    assert set(seen) == set(range(rows))
    assert len(seen) == (rows if world == 1 else len(by_rank[0]) * size * world)
    assert len({len(mine) for mine in by_rank}) == 1


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_the_last_of_a_billion_begins_as_fast_as_the_first(share: float) -> None:
    order, began = ShuffledBatches(10**9, 8, 0), time.monotonic()
    order.skip(int(len(order) * share))
    assert len(next(iter(order))) == 8
    assert time.monotonic() - began < 0.5


def test_the_order_does_not_follow_the_data() -> None:
    order = ShuffledBatches(50_000, 8, 3)
    seen = np.array([row for batch in islice(order, 5000) for row in batch])
    assert abs(np.corrcoef(np.arange(len(seen)), seen)[0, 1]) < 0.02
