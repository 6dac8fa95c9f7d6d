"""Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from manus.data.sources.parquet import Parquet
from manus.errors import DataError


def test_few_rows_are_in_memory_where_they_hold_media(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    rows = [{"image": bytes([n]) * 3_000_000} for n in range(6)]
    parquet.write_table(
        pyarrow.Table.from_pylist(rows), path, row_group_size=4, compression="none", use_dictionary=False
    )
    records = Parquet().by_number(path, "digest", tmp_path)
    assert records.batch_rows < 3
    assert [record.row for record in records.read(np.array([1, 5]))] == [rows[1], rows[5]]
    assert records.cut_evenly(1) == [(0, 4), (4, 6)]


def test_what_is_none_is_said_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        list(Parquet().rows(path))
    with pytest.raises(DataError, match="not a readable Parquet file"):
        Parquet().by_number(path, "digest", tmp_path)
