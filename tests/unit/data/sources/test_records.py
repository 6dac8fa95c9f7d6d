"""Rows of large files are those that small files give, in any order; texts are cut without losing a byte."""

from __future__ import annotations

import gzip
import json
import lzma
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from manus.data.sources import records as records_module
from manus.data.sources import text_files as texts_module
from manus.data.sources.formats import records_of, rows_of
from manus.data.sources.records import Records
from manus.data.sources.text_files import Segments
from manus.data.tokens.windows import best_cut
from manus.errors import DataError
from manus.files import sha256_of

KINDS = [
    ".jsonl",
    ".jsonl.gz",
    ".jsonl.zst",
    ".csv",
    ".csv.gz",
    ".tsv",
    ".parquet",
    ".txt",
    ".txt.zst",
    ".jsonl.xz",
    ".tsv.xz",
    ".md.gz",
]
ROWS: list[dict[str, Any]] = [
    {"number": str(n), "text": f'{"ü" * (n % 7)} "{n}"\n{n}, {n}'} for n in range(300)
]


def table(mark: str) -> str:
    return f"number{mark}text\n" + "".join(
        f'{row["number"]}{mark}"{row["text"].replace(chr(34), chr(34) * 2)}"\n' for row in ROWS
    )


def written(folder: Path, kind: str) -> Path:
    path = folder / f"data{kind}"
    if kind == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(ROWS), path, row_group_size=70)
        return path
    texts = {
        ".jsonl": "\ufeff" + "".join(json.dumps(row) + "\n\n" for row in ROWS),
        ".csv": table(","),
        ".tsv": table("\t"),
    }
    data = texts.get("." + kind.split(".")[1], "a text").encode()
    if kind.endswith(".gz"):
        data = gzip.compress(data[:50]) + gzip.compress(data[50:])
    elif kind.endswith(".xz"):
        data = lzma.compress(data)
    elif kind.endswith(".zst"):
        data = pyarrow.compress(data, codec="zstd", asbytes=True)
    path.write_bytes(data)
    return path


def opened(path: Path) -> Records:
    found = records_of(path, sha256_of(path), path.parent / "cache")
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_large_files_give_the_rows_of_small_ones(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "READ_BYTES", 500)
    monkeypatch.setattr(records_module, "OFFSETS_AT_ONCE", 16)
    path = written(tmp_path, kind)
    records, expected = opened(path), list(rows_of(path))
    everything = list(records.read(np.arange(len(records))))
    assert [(record.place, record.row) for record in everything] == [
        (f"{path.name} {p}", row) for p, row in expected
    ]
    some = np.array(sorted(random.Random(0).sample(range(len(records)), len(records) // 3)), dtype=np.int64)
    assert list(records.read(some)) == [record for record in everything if record.number in some]


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
def test_a_file_is_divided_without_gap_or_overlap(tmp_path: Path, kind: str) -> None:
    records = opened(written(tmp_path, kind))
    ranges = records.cut_evenly(1000)
    assert len(ranges) > 3
    assert [n for a, b in ranges for n in range(a, b)] == list(range(len(records)))
    assert kind == ".parquet" or max(records.bytes_of(a, b) for a, b in ranges) < 1100


def test_bad_rows_are_told_by_place_and_do_not_disturb_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "LARGEST_ROW_BYTES", 100)
    monkeypatch.setattr(records_module, "READ_BYTES", 50)
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"a": 1}\nno\n"\xff"\n[1]\n' + b'{"a": "' + b"x" * 200 + b'"}\n{"a": 2}\n')
    records = opened(path)
    found = {record.place: record.row for record in records.read(np.arange(len(records)))}
    reasons = [row if isinstance(row, str) else "good" for row in found.values()]
    expected = ["good", "not valid JSON", "not valid UTF-8", "a JSON list", "210 bytes long", "good"]
    assert all(reason.startswith(start) for reason, start in zip(reasons, expected, strict=True)), reasons
    assert list(found)[4] == "data.jsonl line 5"


def test_a_torn_compressed_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(gzip.compress(random.Random(0).randbytes(100_000))[:50_000])
    with pytest.raises(DataError, match="is it whole"):
        opened(path)
    assert not list((tmp_path / "cache").glob("*.plain"))


@pytest.mark.parametrize(
    "text",
    [
        "word " * 5000,
        "a line of it\n" * 2000,
        "日本語" * 4000,
        "x" * 20_000,
        "é" * 9999 + "\n" + "🙂" * 3000,
    ],
    ids=["words", "lines", "characters", "letters", "mixed"],
)
def test_a_giant_text_is_cut_between_lines_words_or_characters(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts_module, "SEGMENT_BYTES", 1000)
    monkeypatch.setattr(texts_module, "LARGEST_WHOLE_TEXT_BYTES", 2000)
    path = tmp_path / "data.log"
    path.write_bytes("\ufeff".encode() + text.encode())
    segments = opened(path)
    assert isinstance(segments, Segments) and len(segments) > 5
    parts = [
        record.row["text"]
        for record in segments.read(np.arange(len(segments)))
        if isinstance(record.row, dict)
    ]
    assert "".join(parts) == text
    assert all(part.startswith("a line") for part in parts) or "line" not in text
    assert all(part.startswith((" word", "word")) for part in parts) or "word" not in text
    assert max(len(part.encode()) for part in parts) <= 2000
    assert [segments.ends(n) for n in (0, 1, len(segments) - 1)] == [
        (True, False),
        (False, False),
        (False, True),
    ]


def test_a_cut_never_parts_a_character() -> None:
    data = "🙂".encode() * 10
    assert best_cut(data) % 4 == 0 and best_cut(b"one two  three") == 7 and best_cut(b"a\n b\nc d") == 5


def test_a_large_json_list_has_no_random_access(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[]")
    assert records_of(path, sha256_of(path), tmp_path) is None
