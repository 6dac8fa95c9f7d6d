"""A few compressed megabytes may hold gigabytes in one line: no reader takes more memory than a row may."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow
import pytest

from manus.data.media.errors import MediaError
from manus.data.sources import bounded_text, texts
from manus.data.sources.archives import Archives
from manus.data.sources.bounded_text import DEEPEST, LARGEST_ROW_BYTES, is_too_deep, lines_of
from manus.data.sources.formats import records_of
from manus.data.sources.records import parsed
from manus.data.sources.rows import rows_in
from manus.errors import DataError, Interrupted
from manus.files import sha256_of
from manus.guards.requests import REQUESTS
from manus.store.digests import Digests

MEGABYTE = 1 << 20
LONG = 400  # megabytes in a line, of which nothing is to be held
# Reads files and tells how many rows and bad rows are in each, and by how many megabytes the process grew.
READ = """
import resource, sys
from pathlib import Path
from manus.data.sources.rows import rows_in
from manus.errors import DataError
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for name in sys.argv[1:]:
    try:
        found = [row for _, row in rows_in(Path(name))]
        print(sum(isinstance(row, dict) for row in found), [row for row in found if isinstance(row, str)])
    except DataError as error:
        print("refused", error)
print((peak() - before) >> 10)
"""


def giant(path: Path, head: bytes, tail: bytes) -> Path:
    """A small compressed file with a line of LONG megabytes between two pieces."""
    codec = {".gz": "gzip", ".zst": "zstd"}[path.suffix]
    with path.open("wb") as raw, pyarrow.CompressedOutputStream(raw, codec) as stream:
        stream.write(head)
        for _ in range(LONG):
            stream.write(b"a" * MEGABYTE)
        stream.write(tail)
    assert path.stat().st_size < 3_000_000
    return path


def test_a_giant_line_takes_no_memory(tmp_path: Path) -> None:
    good = b'{"text": "good"}\n'
    files = [
        giant(tmp_path / f"data.jsonl{ending}", good + b'{"text": "', b'"}\n' + good + b'{"text": "last"}')
        for ending in (".gz", ".zst")
    ]
    files.append(giant(tmp_path / "data.csv.gz", b'text\ngood\n"', b'"\nlast\n'))
    command = [sys.executable, "-c", READ, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=True)
    gz, zst, csv, grown = done.stdout.splitlines()
    assert gz == zst
    assert gz.startswith("3 ['")
    assert f"{LONG * MEGABYTE + 13:,} bytes long, a row may have {LARGEST_ROW_BYTES:,}" in gz
    assert (
        csv.startswith("refused")
        and "data.csv.gz: cannot be read: line 3" in csv
        and "is a quote not closed?" in csv
    )
    assert int(grown) < 250, "one line needs its own size and half as much again"


def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_text, "PIECE", 10)
    monkeypatch.setattr(bounded_text, "LARGEST_ROW_BYTES", 40)
    monkeypatch.setattr("manus.data.sources.records.LARGEST_ROW_BYTES", 40)
    monkeypatch.setattr("manus.data.sources.records.READ_BYTES", 10)
    monkeypatch.setattr(texts, "LARGEST_UNPACKED_BYTES", 400)


@pytest.mark.parametrize("text", ["a" * 5, "a" * 25, "ä" * 10, "a" * 26, "ä" * 13, "a" * 700])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_readers_in_memory_and_by_index_refuse_the_same_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, end: str
) -> None:
    small_limits(monkeypatch)
    path = tmp_path / "data.jsonl"
    path.write_bytes(
        b"".join(
            (json.dumps({"t": one}, ensure_ascii=False) + end).encode()
            for one in (text, "b", "c")[: 3 if end else 1]
        )
    )
    indexed = records_of(path, sha256_of(path), tmp_path / "cache")
    assert indexed is not None
    import numpy as np

    by_index = [row for _, _, row in indexed.read(np.arange(len(indexed)))]
    in_memory = [row for _, row in rows_in(path)]
    assert [type(row) for row in in_memory] == [type(row) for row in by_index]
    assert [row for row in in_memory if isinstance(row, dict)] == [
        row for row in by_index if isinstance(row, dict)
    ]


def test_lines_are_those_of_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    small_limits(monkeypatch)
    for text in (
        "",
        "\n",
        "a\n\nb",
        "0123456789\n" * 3,
        "01234567\n",
        "012345678\n",
        "a" * 35,
        "a\rb\r\nc\n",
    ):
        wanted = list(io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
        assert (
            list(lines_of(io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"), "reading")) == wanted
        )


@pytest.mark.parametrize("ending", [".json.gz", ".json.zst", ".txt.gz", ".txt.zst"])
def test_a_compressed_file_that_must_be_read_whole_may_not_hold_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    small_limits(monkeypatch)
    path = tmp_path / f"data{ending}"
    for size in (300, 500):
        content = json.dumps([{"text": "a" * (size - 20)}]).encode()
        path.write_bytes(
            gzip.compress(content)
            if ending.endswith("gz")
            else pyarrow.compress(content, "zstd", asbytes=True)
        )
        if size == 300:
            assert len(list(rows_in(path))) == 1
    with pytest.raises(DataError, match=r"holds more than 400 bytes"):
        list(rows_in(path))


def test_an_open_quote_ends_at_the_longest_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_limits(monkeypatch)
    path = tmp_path / "data.csv"
    path.write_text('a,b\n1,2\n3,"4\n' + "5,6\n" * 50)
    with pytest.raises(DataError, match=r"data\.csv: cannot be read: line \d+: .* is a quote not closed"):
        list(rows_in(path))
    path.write_text("a,b\n" + "1,2\n" * 50)
    assert len(list(rows_in(path))) == 50


@pytest.mark.parametrize("ending", [".jsonl.gz", ".jsonl.zst", ".json.gz", ".csv.gz", ".txt.gz"])
def test_a_torn_compressed_file_is_named(tmp_path: Path, ending: str) -> None:
    content = json.dumps({"text": os.urandom(3000).hex()}).encode() * 9
    packed = (
        gzip.compress(content) if ending.endswith("gz") else pyarrow.compress(content, "zstd", asbytes=True)
    )
    path = tmp_path / f"data{ending}"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=rf"data{ending}: cannot be decompressed, is it whole"):
        list(rows_in(path))


def test_a_signal_is_heard_within_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_limits(monkeypatch)
    path = tmp_path / "data.jsonl"
    path.write_text("a" * 1000)
    monkeypatch.setattr(REQUESTS, "stop", signal.SIGTERM)
    with pytest.raises(Interrupted, match=r"SIGTERM while reading data\.jsonl"):
        list(rows_in(path))


@pytest.mark.parametrize(
    "nested", ["[" * 200_000, '{"a":' * 200_000 + "1" + "}" * 200_000, '{"a":' + "[" * 300 + "]" * 300 + "}"]
)
@pytest.mark.parametrize("ending", [".jsonl", ".json"])
def test_a_row_nested_too_deeply_is_put_aside(tmp_path: Path, nested: str, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    path.write_text(f'{nested}\n{{"a": 1}}\n')
    bad, good = [row for _, row in rows_in(path)]
    assert isinstance(bad, str)
    assert good == {"a": 1}


def test_depth_is_that_of_lists_and_objects() -> None:
    assert parsed('{"a": ' + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1) + "}") is not None
    assert isinstance(parsed('{"a": ' + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1) + "}"), dict)
    assert isinstance(parsed('{"a": ' + "[" * DEEPEST + "]" * DEEPEST + "}"), str)
    assert isinstance(parsed('{"a": "' + "[" * 999 + '"}'), dict)
    assert not is_too_deep([[1]] * 999)


def test_a_giant_member_of_an_archive_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manus.data.sources.archives.LARGEST_BYTES", 100)
    path = tmp_path / "media.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("small.png", b"a" * 100)
        archive.writestr("giant.png", b"a" * 101)
    archives = Archives([path], Digests(tmp_path / "digests.json"), tmp_path / "cache")
    small, giant_one = archives.find("small.png"), archives.find("giant.png")
    assert small is not None and giant_one is not None
    assert len(archives.read(small)) == 100
    with pytest.raises(MediaError, match=r"giant\.png in media\.zip: more than 100 bytes"):
        archives.read(giant_one)
