"""Every format is read from the beginning, whole or compressed; a compression is one entry of a table."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import pyarrow
import pytest

from manus.data.settings import Source
from manus.data.sources import compression
from manus.data.sources.files import data_files
from manus.data.sources.formats import (
    BY_ENDING,
    FORMATS,
    bytes_of_rows,
    ending_of,
    format_of,
    records_of,
    rows_of,
)
from manus.data.sources.rows import rows_in
from manus.errors import DataError
from manus.files import sha256_of

WRITERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": lambda data: cast(bytes, pyarrow.compress(data, codec="zstd", asbytes=True)),
    ".xz": lzma.compress,
}
CONTENTS = {".jsonl": b'{"a": "1"}\n', ".json": b'[{"a": "1"}]', ".csv": b"a\n1\n", ".tsv": b"a\n1\n"}
COMPRESSIBLE = [ending for format in FORMATS if format.is_compressible for ending in format.endings]


def test_there_is_a_test_for_each_compression() -> None:
    assert WRITERS.keys() == compression.CODECS.keys()


@pytest.mark.parametrize("compressed", WRITERS)
@pytest.mark.parametrize("ending", COMPRESSIBLE)
def test_each_format_may_be_compressed(ending: str, compressed: str, tmp_path: Path) -> None:
    content = CONTENTS.get(ending, b"1")
    plain, packed = tmp_path / f"data{ending}", tmp_path / f"more.data{ending}{compressed}"
    plain.write_bytes(content)
    packed.write_bytes(WRITERS[compressed](content))
    expected = list(rows_of(plain))
    assert list(rows_of(packed)) == expected and len(expected) == 1
    assert ending_of(packed) == ending + compressed and format_of(packed) is format_of(plain)
    assert bytes_of_rows(packed) == 4 * packed.stat().st_size
    records = records_of(packed, sha256_of(packed), tmp_path / "cache")
    if records is not None:
        assert [record.row for record in records.read(pyarrow.array([0]).to_numpy())] == [expected[0][1]]


def test_a_compression_is_added_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(compression.CODECS, ".bz2", lambda raw: cast("IO[bytes]", bz2.BZ2File(raw)))
    path = tmp_path / "data.jsonl.bz2"
    path.write_bytes(bz2.compress(CONTENTS[".jsonl"]))
    assert data_files(Source(path=str(tmp_path)), tmp_path) == [path]
    assert list(rows_of(path)) == [("line 1", {"a": "1"})]


@pytest.mark.parametrize("name", ["data.parquet.gz", "data.gz", "data", "data.log2"])
def test_what_has_no_format_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"1")
    assert format_of(tmp_path / name) is None
    with pytest.raises(DataError, match="is not a known format"):
        data_files(Source(path=str(tmp_path / name)), tmp_path)


def test_logs_among_data_are_none_unless_they_are_named(tmp_path: Path) -> None:
    for name in ("data.txt", "run.log", "run.log.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"1") if name.endswith("gz") else b"1")
    assert [path.name for path in data_files(Source(path=str(tmp_path)), tmp_path)] == ["data.txt"]
    assert len(data_files(Source(path=str(tmp_path / "run.log")), tmp_path)) == 1


def test_every_ending_is_of_one_format() -> None:
    assert sum(len(format.endings) for format in FORMATS) == len(BY_ENDING) >= 8


@pytest.mark.parametrize("compressed", WRITERS)
def test_a_torn_file_is_a_message_from_the_beginning_as_well(compressed: str, tmp_path: Path) -> None:
    path = tmp_path / f"data.jsonl{compressed}"
    path.write_bytes(WRITERS[compressed](b'{"a": 1}\n' * 9999)[:-20])
    with pytest.raises(DataError, match="is it whole"):
        list(rows_in(path))
