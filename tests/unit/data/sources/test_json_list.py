"""JSON files with a list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manus.data.sources import json_list
from manus.data.sources.json_list import Json
from manus.errors import DataError


@pytest.mark.parametrize(
    "text", ['[{"a": 1}, {"a": 2}]', '{"data": [{"a": 1}, {"a": 2}]}', '{"a": 1}\n{"a": 2}\n']
)
def test_the_list_is_found(text: str, tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(text)
    assert [row for _, row in Json().rows(path)] == [{"a": 1}, {"a": 2}]


TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": TURNS},
        {"id": 1, "prompt": "q", "history": []},
        {"prompt": "q", "completion": "a", "images": ["a.png"]},
        {"prompt": TURNS[:1], "completion": TURNS[1:]},
    ],
)
def test_an_object_without_a_list_of_rows_is_a_row(row: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps(row))
    assert [read for _, read in Json().rows(path)] == [row]


def test_columns_instead_of_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"question": ["q", "r"], "answer": ["a", "b"]}))
    with pytest.raises(DataError, match="an object of columns, not a list of rows"):
        list(Json().rows(path))


def test_there_is_no_access_by_number(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[]")
    assert Json().by_number(path, "digest", tmp_path) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    "text", ['[{"a": 1}, {"a": 2}]', '{\n"a": 1\n}', '{"rows": [\n{"a": 1}]}', "[" + "1, " * 90 + "1]"]
)
def test_a_large_list_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(json_list, "LARGEST_LIST_BYTES", 8)
    monkeypatch.setattr(json_list, "read_whole", lambda path: pytest.fail("it was read"))
    file = tmp_path / "rows.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"rows\.json: .* in one JSON value.*one object a line"):
        list(json_list.Json().rows(file))


def test_a_large_file_of_lines_is_read_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_list, "LARGEST_LIST_BYTES", 8)
    file = tmp_path / "rows.json"
    file.write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    assert [row for _, row in json_list.Json().rows(file)] == [{"a": 1}, {"a": 2}]
