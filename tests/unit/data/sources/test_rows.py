"""Every kind of file gives the same rows; what cannot be read is said by place and reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from manus.data.settings import Source
from manus.data.sources.files import data_files
from manus.data.sources.identity import identity
from manus.data.sources.rows import rows
from manus.errors import DataError
from manus.store.digests import Digests

ROWS = [{"prompt": "eins", "completion": "ü"}, {"prompt": "zwei", "completion": "a\nb"}]


def written(folder: Path, kind: str) -> Path:
    path = folder / f"data{kind}"
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    if kind == ".jsonl":
        path.write_text("\ufeff" + lines + "\n", encoding="utf-8")
    elif kind == ".jsonl.gz":
        path.write_bytes(gzip.compress(lines.encode()))
    elif kind == ".json":
        path.write_text(json.dumps(ROWS), encoding="utf-8")
    elif kind == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    else:
        mark = "\t" if kind == ".tsv" else ","
        path.write_text(f'prompt{mark}completion\neins{mark}ü\nzwei{mark}"a\nb"\n', encoding="utf-8")
    return path


def read(source: Source, beside: Path = Path()) -> list[Any]:
    return [row for _, row in rows(source, beside, 0, 0, False)]


@pytest.mark.parametrize("kind", [".jsonl", ".jsonl.gz", ".json", ".parquet", ".csv", ".tsv"])
def test_every_format_gives_the_same_rows(tmp_path: Path, kind: str) -> None:
    assert read(Source(path=str(written(tmp_path, kind)))) == ROWS


def test_a_wrapped_json_list_is_unwrapped(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"version": 1, "data": ROWS}))
    assert read(Source(path=str(path))) == ROWS


def test_a_directory_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}) + "\n")
    (tmp_path / "notes.pdf").write_text("ignored")
    assert [row["text"] for row in read(Source(path=str(tmp_path)))] == ["a", "b"]


def test_columns_are_renamed(tmp_path: Path) -> None:
    path = written(tmp_path, ".jsonl")
    got = read(Source(path=str(path), columns={"question": "prompt", "prompt": "completion"}))
    assert got[0] == {"question": "eins", "prompt": "ü"}


def test_bad_lines_keep_their_place(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"a": 1}\nnot json\n[1]\n')
    found = list(rows(Source(path=str(path)), Path(), 0, 0, False))
    assert [place for place, _ in found] == ["data.jsonl line 1", "data.jsonl line 2", "data.jsonl line 3"]
    assert "not valid JSON" in found[1][1] and "not an object" in found[2][1]


def test_a_ragged_table_row_is_bad(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n1,2,3\n1\n")
    assert [isinstance(row, str) for row in read(Source(path=str(tmp_path / "t.csv")))] == [False, True, True]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.jsonl", None, "no such file"),
        ("data.xlsx", "x", "not a known format"),
        ("empty.jsonl", "", "empty"),
        ("folder", None, "no such file"),
    ],
)
def test_unusable_sources_are_refused(tmp_path: Path, name: str, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words):
        data_files(Source(path=name), tmp_path)


def test_a_broken_parquet_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match="not a readable Parquet"):
        read(Source(path=str(tmp_path / "x.parquet")))


def test_identity_is_content_not_place(tmp_path: Path) -> None:
    digests = Digests(tmp_path / "memory.json")
    (tmp_path / "a").mkdir()
    first = identity(Source(path=str(written(tmp_path, ".jsonl"))), tmp_path, digests, {})
    second = identity(Source(path=str(written(tmp_path / "a", ".jsonl"))), tmp_path, digests, {})
    assert first == second
    (tmp_path / "data.jsonl").write_text("{}\n")
    assert identity(Source(path="data.jsonl"), tmp_path, digests, {}) != first


def test_identity_of_a_generator_follows_its_settings(tmp_path: Path) -> None:
    digests = Digests(tmp_path / "memory.json")
    first = identity(Source(generator="cot"), tmp_path, digests, {})
    assert first == identity(Source(generator="cot"), tmp_path, digests, {})
    assert first != identity(Source(generator="cot", size=9), tmp_path, digests, {})


def test_hub_rows_are_streamed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import datasets

    asked: dict[str, Any] = {}

    def load(name: str, subset: str | None, **options: Any) -> Any:
        asked.update(options, name=name, subset=subset)
        return datasets.Dataset.from_list(ROWS).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert read(Source(hub="a/b", subset="s", revision="r")) == ROWS
    assert asked == {"name": "a/b", "subset": "s", "split": "train", "revision": "r", "streaming": True}
    shuffled = [row for _, row in rows(Source(hub="a/b"), tmp_path, 2, 0, False)]
    assert sorted(shuffled, key=str) == sorted(ROWS, key=str)
