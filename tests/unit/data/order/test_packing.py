"""Packed rows hold every sample once, are nearly full, and are found by number."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.data.order import packing
from manus.data.order.packing import MEMBERS, ROWS, PackedRows, blocks, filled, packed, write_rows


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 3000), size=st.integers(16, 300), strips=st.integers(1, 16))
def test_blocks_hold_every_number_once(count: int, size: int, strips: int) -> None:
    found = list(blocks(count, size, strips))
    assert sorted(np.concatenate(found).tolist()) == list(range(count))
    assert max(map(len, found)) <= size


def test_a_block_takes_from_everywhere() -> None:
    first = next(iter(blocks(100_000, 1024, 64)))
    assert np.bincount(first * 8 // 100_000).tolist() == [128] * 8


@pytest.mark.parametrize("seed", range(3))
def test_rows_keep_every_sample_once_and_waste_little(seed: int) -> None:
    lengths = np.minimum(np.random.default_rng(seed).lognormal(4, 1, 5000).astype(int) + 2, 512)
    rows = list(filled(lengths, 512))
    assert sorted(number for row in rows for number in row) == list(range(5000))
    assert max(lengths[row].sum() for row in rows) <= 512
    assert lengths.sum() / (512 * len(rows)) > 0.99


def test_rows_are_written_to_be_found_by_number(tmp_path: Path) -> None:
    lengths = np.array([5, 5, 3, 8, 9])
    assert write_rows(tmp_path, 5, lambda places: lengths[places], 8, lambda done: None) == 4
    members, starts = (np.fromfile(tmp_path / name, dtype="<i8").tolist() for name in (MEMBERS, ROWS))
    assert starts == [0, 1, 2, 4, 5] and [members[a:b] for a, b in pairwise(starts)] == [
        [3],
        [4],
        [0, 2],
        [1],
    ]


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_rows_in_memory_are_those_that_are_written(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "blocks", lambda count: blocks(count, 128, 4))
    lengths = np.random.default_rng(0).integers(1, 65, count)
    write_rows(tmp_path, count, lambda places: lengths[places], 64, lambda done: None)
    members, starts = (np.fromfile(tmp_path / name, dtype="<i8").tolist() for name in (MEMBERS, ROWS))
    rows = PackedRows.of(np.arange(count), lengths, 64)
    assert list(rows) == [members[a:b] for a, b in pairwise(starts)]
    assert sum(len(ends) for _, ends in packed(count, lambda places: lengths[places], 64)) == len(rows)


def test_groups_share_no_row_and_rows_are_counted_from_the_end_too() -> None:
    parts = [PackedRows.of(np.array(some), np.ones(9, dtype=int), 2) for some in ([1, 3, 5], [0, 2])]
    rows = PackedRows.joined(parts)
    assert sorted(map(sorted, rows[:2])) == [[1], [3, 5]] or [len(row) for row in rows] == [2, 1, 2]
    assert sorted(rows[-1]) == [0, 2] and len(rows) == 3
    with pytest.raises(IndexError, match="row 3 of 3"):
        rows[3]
    assert list(PackedRows.of(np.array([4, 7]), np.ones(9, dtype=int), None)) == [[4], [7]]
