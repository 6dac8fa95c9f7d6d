"""The hub's JSON is refused where an object has a key twice, as files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manus.data.sources.hub_json import refuse_repeated_keys, strict_loads

TWICE = {
    "a list": '[{"prompt": "q", "completion": "a", "completion": "b"}]',
    "a list, within": '[{"messages": [{"role": "user", "content": "q", "content": "z"}]}]',
    "lines": '{"prompt": "q", "completion": "a", "completion": "b"}\n{"prompt": "q", "completion": "a"}',
    "lines of several types": '{"a": {"b": 1, "b": 2}, "c": 1}\n{"a": "x", "c": "y"}',
    "one object": '{"messages": [{"role": "user", "content": "q", "content": "z"}]}',
}


def _rows(path: Path) -> list[dict[str, Any]]:
    from datasets import load_dataset

    return list(load_dataset("json", data_files=str(path), split="train", streaming=True))


@pytest.mark.parametrize("text", TWICE.values(), ids=TWICE)
def test_a_key_that_stands_twice_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text, encoding="utf-8")
    refuse_repeated_keys()
    with pytest.raises(Exception, match="twice"):
        _rows(path)


def test_other_rows_are_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('[{"a": "ü", "b": [1, 2.5]}, {"a": "x", "b": []}]', encoding="utf-8")
    before = _rows(path)
    refuse_repeated_keys()
    refuse_repeated_keys()
    assert _rows(path) == before == [{"a": "ü", "b": [1.0, 2.5]}, {"a": "x", "b": []}]


def test_bytes_are_read_behind_the_mark_of_utf_8() -> None:
    assert strict_loads(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
