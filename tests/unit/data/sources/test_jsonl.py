"""JSON lines."""

from __future__ import annotations

from pathlib import Path

from manus.data.sources.jsonl import Jsonl


def test_blank_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes("\ufeff".encode() + b'{"a": 1}\n\n[2]\n{"a": 3}')
    assert list(Jsonl().rows(path)) == [
        ("line 1", {"a": 1}),
        ("line 3", "a JSON list, not an object"),
        ("line 4", {"a": 3}),
    ]
