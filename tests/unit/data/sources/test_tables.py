"""CSV and TSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manus.data.sources.tables import BROKEN_QUOTES, Table
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


@pytest.mark.parametrize(("ending", "mark"), [(".csv", ","), (".tsv", "\t")])
@pytest.mark.parametrize("field", ['"a \\"b\\""', '"a" is b', '"a\n\\"b\\" c"'])
def test_quotes_that_are_not_doubled_cost_their_row_both_ways(
    field: str, ending: str, mark: str, tmp_path: Path
) -> None:
    path = tmp_path / f"data{ending}"
    path.write_text(f'a{mark}b\n1{mark}{field}\n2{mark}"3 ""x"""\n4{mark}5" pipe\n')
    table = Table(ending, mark)
    expected = [BROKEN_QUOTES, {"a": "2", "b": '3 "x"'}, {"a": "4", "b": '5" pipe'}]
    assert [row for _, row in table.rows(path)] == expected
    records = table.by_number(path, sha256_of(path), tmp_path / "cache")
    assert [record.row for record in records.read(np.arange(len(records)))] == expected


def test_a_quote_that_stays_open_does_not_take_the_rows_that_follow_for_a_field(tmp_path: Path) -> None:
    path, table = tmp_path / "data.csv", Table(".csv", ",")
    path.write_text('a,b\n0,1\n1,"2\n3,4\n')
    expected = [{"a": "0", "b": "1"}, BROKEN_QUOTES]
    assert [row for _, row in table.rows(path)] == expected
    records = table.by_number(path, sha256_of(path), tmp_path / "cache")
    assert [record.row for record in records.read(np.arange(len(records)))] == expected


def test_two_columns_of_one_name_are_refused_both_ways(tmp_path: Path) -> None:
    path, table = tmp_path / "data.csv", Table(".csv", ",")
    path.write_text("a,b,b\n1,2,3\n")
    with pytest.raises(DataError, match="two columns are called 'b'"):
        list(table.rows(path))
    with pytest.raises(DataError, match="two columns are called 'b'"):
        table.by_number(path, sha256_of(path), tmp_path / "cache")
