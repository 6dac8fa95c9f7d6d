"""CSV and TSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manus.data.sources.tables import Table
from manus.errors import DataError
from manus.files import sha256_of


@pytest.mark.parametrize(("ending", "mark"), [(".csv", ","), (".tsv", "\t")])
def test_fields_are_told_by_the_header_both_ways(ending: str, mark: str, tmp_path: Path) -> None:
    path = tmp_path / f"data{ending}"
    path.write_text(f"a{mark}b\n1{mark}\n1\n2{mark}3\n")
    table = Table(ending, mark)
    expected = [{"a": "1"}, "has another number of fields than the header", {"a": "2", "b": "3"}]
    assert [row for _, row in table.rows(path)] == expected
    records = table.by_number(path, sha256_of(path), tmp_path / "cache")
    assert [record.row for record in records.read(np.arange(len(records)))] == expected
    assert records.cut_evenly(1) == [(0, 1), (1, 2), (2, 3)]


def test_two_columns_of_one_name_are_refused_both_ways(tmp_path: Path) -> None:
    path, table = tmp_path / "data.csv", Table(".csv", ",")
    path.write_text("a,b,b\n1,2,3\n")
    with pytest.raises(DataError, match="two columns are called 'b'"):
        list(table.rows(path))
    with pytest.raises(DataError, match="two columns are called 'b'"):
        table.by_number(path, sha256_of(path), tmp_path / "cache")
