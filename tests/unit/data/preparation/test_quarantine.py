"""Bad rows are counted with their reasons, kept as far as there is room, and too many stop the stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manus.data.preparation.quarantine import Failures, Quarantine, read_entries, write_entries
from manus.errors import DataError


def test_few_are_kept_whole_and_many_are_cut_and_counted() -> None:
    few, many = Quarantine(), Quarantine(most=2)
    for number in range(5):
        few.add(f"line {number}", "why", {"a": "x" * 5000, "b": b"123"})
        many.add(f"line {number}", "why", {"a": "x" * 5000})
    assert len(few.rows) == few.bad == many.bad == 5 and len(many.rows) == 2
    assert few.rows[0]["row"] == {"a": "x" * 5000, "b": "(3 bytes)"}
    assert len(json.dumps(many.rows[0])) < 2200 and many.first == {"why": "line 0"}


def test_too_many_are_refused_with_reasons_examples_and_all_that_was_kept(tmp_path: Path) -> None:
    found = Quarantine(seen=10)
    for number, reason in enumerate(["a", "b", "b"]):
        found.add(f"line {number}", reason, {})
    found.check(0.3, tmp_path / "bad.jsonl")
    assert not (tmp_path / "bad.jsonl").exists()
    with pytest.raises(DataError, match=r"3 of 10 rows.*\n  2 x b \(first: line 1\)\n.*\nall of them are in"):
        found.check(0.29, tmp_path / "work" / "bad.jsonl")
    assert len((tmp_path / "work" / "bad.jsonl").read_text().splitlines()) == 3


def test_shards_are_judged_together_and_by_the_rows_that_are_still_to_come(tmp_path: Path) -> None:
    whole = Failures()
    for _ in range(2):
        part = Failures(seen=10)
        part.note("why", "line 1", 2)
        whole.add_all(part)
    assert (whole.seen, whole.bad, whole.first) == (20, 4, {"why": "line 1"})
    whole.refuse_beyond(0.1, tmp_path / "bad.jsonl", [], expected=40)
    with pytest.raises(DataError, match="1 of them are in"):
        whole.refuse_beyond(0.1, tmp_path / "bad.jsonl", [{"place": "line 1", "reason": "why", "row": 1}])


def test_reasons_that_never_end_are_put_together() -> None:
    found = Failures()
    for number in range(1000):
        found.note(f"reason {number}", "line")
    assert len(found.reasons) == 201 and found.reasons["other reasons"] == 800 and found.bad == 1000


def test_entries_of_several_files_are_read_up_to_a_limit(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        assert write_entries(file, [{"place": file.name, "reason": "r", "row": n} for n in range(3)]) == 3
    assert [entry["place"] for entry in read_entries(files, 4)] == ["a", "a", "a", "b"]
