"""Plain texts."""

from __future__ import annotations

from pathlib import Path

from manus.data.sources.text_files import Text
from manus.files import sha256_of


def test_a_text_is_one_row_or_parts_of_one(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    path.write_text("word " * 1000)
    text = Text(".txt")
    assert [place for place, _ in text.rows(path)] == ["whole file"]
    whole = text.by_number(path, sha256_of(path), tmp_path)
    assert len(whole) == 1 and whole.ends(0) is None
    parts = text.by_number(path, sha256_of(path), tmp_path, segment_bytes=600)
    assert [parts.ends(n) for n in (0, 1, len(parts) - 1)] == [(True, False), (False, False), (False, True)]
    assert parts.cut_evenly(1200) == [(a, min(a + 2, len(parts))) for a in range(0, len(parts), 2)]
