"""JSON files with a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.data.sources.json_list import Json


@pytest.mark.parametrize("text", ['[{"a": 1}, {"a": 2}]', '{"data": [{"a": 1}, {"a": 2}]}', '{"a": 1}\n{"a": 2}\n'])
def test_the_list_is_found(text: str, tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(text)
    assert [row for _, row in Json().rows(path)] == [{"a": 1}, {"a": 2}]


def test_there_is_no_access_by_number(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[]")
    assert Json().by_number(path, "digest", tmp_path) is None  # type: ignore[func-returns-value]
