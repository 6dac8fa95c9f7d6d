"""Files as users have them: a bad byte costs its row, other encodings and torn files one clear message."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manus.capabilities import instruct
from manus.data.preparation.choosing import prepare
from manus.data.settings import DataSettings, Source
from manus.data.sources.files import data_files
from manus.data.sources.first_rows import first_rows
from manus.data.sources.formats import records_of
from manus.data.sources.jsonl import Jsonl
from manus.data.sources.records import TOO_DEEP
from manus.data.sources.rows import rows
from manus.data.sources.texts import HOLDS_NUL
from manus.errors import DataError
from manus.files import at_home, read_jsonl, sha256_of
from tests.pico import tokenizer

ROWS = [{"prompt": f"Who is {number}?", "completion": f"Nobody {number}."} for number in range(300)]
LINES = [json.dumps(row).encode() for row in ROWS]
LATIN = LINES[0].replace(b"Who", "Wér".encode("latin-1"))


def prepared(folder: Path, file: Path, **settings: Any) -> dict[str, Any]:
    out = folder / "out"
    out.mkdir()
    source = Source(path=str(file))
    chosen = DataSettings(data=(source,), held_out=5, max_length=64, **settings)
    return prepare([source], chosen, instruct.read, "messages", tokenizer(), folder, 0, out, folder / "work")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()


HOW = [{}, {"index_above_bytes": 0}, {"prepare": "never", "failure_budget": 0.5}]


@pytest.mark.parametrize("how", HOW, ids=["in memory", "indexed", "never"])
@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_a_byte_that_is_not_utf_8_costs_its_line(tmp_path: Path, ending: str, how: dict[str, Any]) -> None:
    data = b"\n".join([*LINES[1:100], LATIN, *LINES[100:]]) + b"\n"
    file = tmp_path / f"rows{ending}"
    file.write_bytes(gzip.compress(data) if ending.endswith(".gz") else data)
    told = prepared(tmp_path, file, **how)
    assert told["quarantined"] == 1
    (bad,) = read_jsonl(tmp_path / "out" / "quarantine.jsonl")
    assert bad["place"] == f"rows{ending} line 100" and bad["reason"].startswith("not valid UTF-8: ")


@pytest.mark.parametrize("how", HOW[:2], ids=["in memory", "indexed"])
def test_in_a_table_it_costs_its_row(tmp_path: Path, how: dict[str, Any]) -> None:
    lines = [b"prompt,completion", *(f"q {n},a {n}".encode() for n in range(200))]
    lines[7] = b"caf\xe9,yes"
    (tmp_path / "rows.csv").write_bytes(b"\n".join(lines) + b"\n")
    assert prepared(tmp_path, tmp_path / "rows.csv", **how)["quarantined"] == 1
    (bad,) = read_jsonl(tmp_path / "out" / "quarantine.jsonl")
    assert bad["place"] == "rows.csv row 8" and bad["reason"].startswith("not valid UTF-8: ")


@pytest.mark.parametrize("how", HOW[:2], ids=["in memory", "indexed"])
def test_in_the_header_of_a_table_nothing_can_be_read(tmp_path: Path, how: dict[str, Any]) -> None:
    (tmp_path / "rows.csv").write_bytes(b"prompt,r\xe9ponse\na,b\nc,d\n")
    with pytest.raises(DataError, match=r"rows\.csv: the header is not valid UTF-8: "):
        prepared(tmp_path, tmp_path / "rows.csv", **how)


def test_in_a_list_of_json_and_in_a_text_too(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_bytes(b"[" + b",\n".join([*LINES[:3], LATIN]) + b"]")
    (tmp_path / "text.txt").write_bytes(b"caf\xe9 au lait")
    found = list(rows(Source(path=str(tmp_path / "rows.json")), tmp_path, 0, 0, False))
    assert [isinstance(row, dict) for _, row in found] == [True, True, True, False]
    assert found[3][0] == "rows.json item 4" and "not valid UTF-8" in found[3][1]
    ((place, row),) = rows(Source(path=str(tmp_path / "text.txt")), tmp_path, 0, 0, False)
    assert (place, row) == ("text.txt whole file", "not valid UTF-8: invalid continuation byte at byte 3")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ending", [".txt", ".csv", ".jsonl", ".json", ".txt.gz"])
def test_utf_16_without_a_mark_is_told_by_its_zeros(encoding: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{ending}"
    data = ("prompt,completion\n" + "q,\u4f60\n" * 40).encode(encoding)
    path.write_bytes(gzip.compress(data) if ending.endswith(".gz") else data)
    with pytest.raises(
        DataError,
        match="every other byte is zero.*iconv -f "
        f"{encoding.upper().replace('-LE', 'LE').replace('-BE', 'BE')}",
    ):
        data_files(Source(path=str(path)), tmp_path)
        list(rows(Source(path=str(path)), tmp_path, 0, 0, False))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".txt", ".json"])
def test_another_encoding_is_named_before_anything_runs(tmp_path: Path, encoding: str, ending: str) -> None:
    text = ("\ufeff" if encoding == "utf-16-be" else "") + '{"prompt": "a", "completion": "b"}\n'
    (tmp_path / f"rows{ending}").write_bytes(text.encode(encoding))
    if encoding == "utf-32" and not (tmp_path / f"rows{ending}").read_bytes().startswith(b"\xff\xfe"):
        pytest.skip("a machine whose bytes stand the other way round")
    with pytest.raises(DataError, match=f"rows{ending}: UTF-16 text; save it as UTF-8"):
        data_files(Source(path=str(tmp_path)), tmp_path)


def test_a_compressed_one_is_named_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress('{"prompt": "a"}\n'.encode("utf-16")))
    with pytest.raises(DataError, match="UTF-16 text"):
        list(rows(Source(path=str(tmp_path / "rows.jsonl.gz")), tmp_path, 0, 0, False))
    with pytest.raises(DataError, match="UTF-16 text"):
        records_of(tmp_path / "rows.jsonl.gz", "d", tmp_path)


def test_a_torn_compressed_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b"\n".join(LINES))[:-20])
    with pytest.raises(DataError, match=r"rows.jsonl.gz: cannot be decompressed, is it whole\?"):
        list(rows(Source(path=str(tmp_path / "rows.jsonl.gz")), tmp_path, 0, 0, False))


def test_names_that_begin_with_a_dot_are_no_data(tmp_path: Path) -> None:
    folder = tmp_path / ".hidden" / "data"  # the folder itself may lie anywhere
    for name in (
        "rows.jsonl",
        "._rows.jsonl",
        ".ipynb_checkpoints/rows-checkpoint.jsonl",
        "part/.cache/x.parquet",
        "part/b.csv",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(LINES[0] + b"\n")
    names = [str(file.relative_to(folder)) for file in data_files(Source(path=str(folder)), tmp_path)]
    assert names == ["part/b.csv", "rows.jsonl"]
    assert data_files(Source(path=str(folder / "._rows.jsonl")), tmp_path), "who names a file means it"


@pytest.mark.parametrize("how", HOW[:2], ids=["in memory", "indexed"])
def test_a_nul_byte_and_half_a_character_cost_their_rows_at_most(tmp_path: Path, how: dict[str, Any]) -> None:
    odd = [b'{"prompt": "a\x00b", "completion": "c"}', b'{"prompt": "a\\u0000b", "completion": "c"}']
    odd += [
        b'{"prompt": "\\ud800", "completion": "c"}',
        b'{"prompt": "x", "completion": "c", "note": "\\udc80"}',
    ]
    odd += [b"[" * 5000 + b"]" * 5000]
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join([*LINES, *odd]) + b"\n")
    told = prepared(tmp_path, tmp_path / "rows.jsonl", **how, failure_budget=0.05)
    reasons = [bad["reason"] for bad in read_jsonl(tmp_path / "out" / "quarantine.jsonl")]
    assert told["quarantined"] == len(reasons) == 3
    assert [reason.split(":")[0] for reason in reasons] == ["not valid JSON", "'prompt'", TOO_DEEP]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt"])
def test_a_byte_of_zero_is_no_text_of_a_table_or_a_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows{ending}"
    path.write_bytes(b"text\na\0b\nc\n")
    found = [row for _, row in rows(Source(path=str(path)), tmp_path, 0, 0, False)]
    records = records_of(path, sha256_of(path), tmp_path)
    assert records is not None
    again = [record.row for record in records.read(np.arange(len(records)))]
    assert found == again == ([HOLDS_NUL] if ending == ".txt" else [HOLDS_NUL, {"text": "c"}])


def test_a_line_without_an_end_is_never_whole_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    with file.open("wb") as stream:
        stream.write(LINES[0] + b'\n{"prompt": "')
        for _ in range(40):
            stream.write(b"a" * 1_000_000)
        stream.write(b'", "completion": "b"}\n' + LINES[1] + b"\n")
    tracemalloc.start()
    found = list(Jsonl().rows(file, 1 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(place, isinstance(row, dict)) for place, row in found] == [
        ("line 1", True),
        ("line 2", False),
        ("line 3", True),
    ]
    assert (
        found[1][1]
        == "40,000,034 bytes long, a row may have 1,048,576; "
        "write one object a line, or give a giant text as a .txt file"
        and peak < 12_000_000
    )
    assert [isinstance(row, dict) for _, row in first_rows(Source(path=str(file)), tmp_path, 5)] == [
        True,
        False,
        True,
    ]


def test_a_home_of_nobody_is_a_path_like_any_other() -> None:
    assert at_home("~nobody-has-this-name/x") == Path("~nobody-has-this-name/x")
    assert at_home("~") == Path.home()


@pytest.mark.parametrize("name", ["b.JSONL", "b.ndjson", "data-00000-of-00001.arrow"])
def test_rows_in_a_folder_in_a_form_that_is_not_read_are_named(tmp_path: Path, name: str) -> None:
    for file in ("a.jsonl", "LICENSE", name):
        (tmp_path / file).write_text('{"prompt": "q", "completion": "a"}')
    with pytest.raises(DataError, match=f"{name} in it cannot be read"):
        data_files(Source(path=str(tmp_path)), tmp_path)
