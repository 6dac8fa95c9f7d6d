"""The order of large data is the same wherever one begins, and ranks share it without loss."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from manus.training.batches.order import Batches, MixedBatches, ShuffledBatches


def batches(order: Batches, epoch: int = 0, after: int = 0) -> list[list[int]]:
    order.set_epoch(epoch)
    order.skip(after)
    return list(order)


@pytest.mark.parametrize(
    ("rows", "size", "world"), [(10, 3, 1), (9001, 4, 1), (10, 3, 2), (9001, 4, 3), (1, 2, 2)]
)
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


KINDS = [(5,), (1,), (40, 7, 3), (9, 1, 1, 250), (2, 3, 5, 8, 13)]


def mixed(
    counts: tuple[int, ...], size: int = 4, rank: int = 0, world: int = 1, seed: int = 1
) -> MixedBatches:
    return MixedBatches(counts, size, seed, rank, world)


def kinds_of(rows: list[int], counts: tuple[int, ...]) -> set[int]:
    return set(np.searchsorted(np.cumsum(counts), rows, side="right").tolist())


@pytest.mark.parametrize("counts", KINDS)
def test_a_batch_is_of_one_kind_and_an_epoch_shows_every_row_once(counts: tuple[int, ...]) -> None:
    order = mixed(counts)
    for epoch in range(3):
        order.set_epoch(epoch)
        seen = list(order)
        assert len(seen) == len(order) == sum(-(-count // 4) for count in counts)
        assert all(len(kinds_of(batch, counts)) == 1 for batch in seen)
        assert sorted(row for batch in seen for row in batch) == list(range(sum(counts)))
        assert sum(len(batch) < 4 for batch in seen) <= len(counts)


def test_kinds_and_rows_are_mixed_anew_in_each_epoch() -> None:
    counts = (400, 400)
    order = mixed(counts)
    epochs = [batches(order, epoch) for epoch in (0, 1)]
    assert epochs[0] != epochs[1] and batches(order, 0) == epochs[0] != batches(mixed(counts, seed=2), 0)
    for seen in epochs:
        kinds = [kinds_of(batch, counts).pop() for batch in seen]
        changes = sum(a != b for a, b in itertools.pairwise(kinds))
        assert 70 < changes < 130  # of 199, about half where the order is random
        assert abs(np.corrcoef(np.arange(200), kinds)[0, 1]) < 0.2


@pytest.mark.parametrize("counts", KINDS)
@pytest.mark.parametrize("world", [1, 3])
def test_mixed_kinds_go_on_where_they_stopped(counts: tuple[int, ...], world: int) -> None:
    for rank in range(world):
        order = mixed(counts, rank=rank, world=world)
        whole = batches(order, 2)
        for after in {0, 1, len(whole) // 2, len(whole) - 1}:
            assert batches(order, 2, after) == whole[after:]


@pytest.mark.parametrize("counts", KINDS)
@pytest.mark.parametrize("world", [2, 4])
def test_ranks_take_as_many_steps_of_the_same_kinds(counts: tuple[int, ...], world: int) -> None:
    by_rank = [list(mixed(counts, rank=rank, world=world)) for rank in range(world)]
    assert len({len(mine) for mine in by_rank}) == 1
    seen: Counter[int] = Counter()
    for step in zip(*by_rank, strict=True):
        assert all(step) and len(kinds_of([row for batch in step for row in batch], counts)) == 1
        assert max(map(len, step)) - min(map(len, step)) <= 1
        rows = Counter(row for batch in step for row in batch)
        assert max(rows.values()) == 1 or len(rows) < world  # twice only where some rank would have none
        seen += Counter(rows.keys())
    assert seen == Counter(range(sum(counts)))
