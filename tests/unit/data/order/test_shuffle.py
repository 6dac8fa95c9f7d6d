"""A shuffled order holds everything once, looks like chance, and is computed at any place."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.data.order.mixing import Mixture, times_seen
from manus.data.order.shuffle import Permutation


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 5000), seed=st.integers(0, 2**32), epoch=st.integers(0, 50))
def test_everything_comes_once_and_can_be_found_again(count: int, seed: int, epoch: int) -> None:
    order = Permutation(count, seed, epoch)
    things = order.at(np.arange(count))
    assert np.array_equal(np.sort(things), np.arange(count))
    assert np.array_equal(order.place_of(things), np.arange(count))
    assert order[count - 1] == things[-1]


@pytest.mark.parametrize("count", [20_000, 65_536, 1_000_003])
@pytest.mark.parametrize("epoch", range(3))
def test_the_order_does_not_follow_the_position(count: int, epoch: int) -> None:
    places = np.arange(count)
    things = Permutation(count, 42, epoch).at(places)
    assert abs(np.corrcoef(places, things)[0, 1]) < 0.02  # both are ranks already
    assert abs(np.corrcoef(things[1:], things[:-1])[0, 1]) < 0.02
    assert (np.abs(np.diff(things)) == 1).sum() < 20  # two are expected
    assert np.bincount(things[: count // 4] * 16 // count, minlength=16).std() < 4 * (count / 64) ** 0.5


def test_epochs_and_seeds_differ_and_the_same_ones_do_not() -> None:
    places = np.arange(1000)
    orders = [Permutation(1000, seed, epoch).at(places) for seed in range(3) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 9
    assert np.array_equal(orders[0], Permutation(1000, 0, 0).at(places))
    assert all((a == b).sum() < 10 for a in orders for b in orders if a is not b)


def test_any_place_of_a_trillion_is_found_at_once() -> None:
    order, began = Permutation(10**12 + 39, 1), time.monotonic()
    assert all(0 <= order[place] < 10**12 + 39 for place in (0, 10**11, 10**12 + 38))
    assert time.monotonic() - began < 0.5


def test_a_place_outside_is_an_error() -> None:
    with pytest.raises(IndexError):
        Permutation(3, 0)[3]


def test_weights_are_times_seen_or_shares() -> None:
    assert times_seen([2, 0.5], [10, 100], "epochs", "first_exhausted") == [2, 0.5]
    # Equal shares of 10 and 100: until the first is exhausted 10 of each, until all are 100 of each.
    assert times_seen([1, 1], [10, 100], "samples", "first_exhausted") == pytest.approx([1, 0.1])
    assert times_seen([1, 1], [10, 100], "samples", "all_exhausted") == pytest.approx([10, 1])
    assert times_seen([3, 1], [100, 100], "tokens", "first_exhausted") == pytest.approx([1, 1 / 3])
    assert times_seen([1, 1], [0, 5], "samples", "first_exhausted") == [0, 1]


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.tuples(st.integers(0, 60), st.floats(0, 4)), min_size=1, max_size=4),
    seed=st.integers(0, 9),
)
def test_a_mixture_shows_each_sample_as_often_as_asked(parts: list[tuple[int, float]], seed: int) -> None:
    sizes, times = zip(*parts, strict=True)
    mixture = Mixture(sizes, times, seed)
    counted = np.bincount(mixture.at(np.arange(len(mixture))), minlength=sum(sizes))
    first = 0
    for size, time_seen in parts:
        mine = counted[first : first + size]
        assert mine.sum() == int(time_seen // 1) * size + round(time_seen % 1 * size)
        assert set(mine.tolist()) <= {int(time_seen // 1), int(time_seen // 1) + 1}
        first += size
