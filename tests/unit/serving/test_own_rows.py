"""A user's own rows are read as a stage's: what nothing reads is named, what cannot be read is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manus.capabilities import known_capabilities
from manus.serving import own_rows
from manus.serving.own_rows import measured_on, unread_in
from tests.pico import tokenizer, write_rows

GOOD = {"question": "2 + 2? Answer in \\boxed{}.", "answer": "\\boxed{4}"}


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Measure rows, but for what a model says to them."""
    said: dict[str, Any] = {"samples": 1, "value": 1.0, "low": 1.0, "high": 1.0, "levels": {}}
    monkeypatch.setattr(own_rows, "layout_of", lambda folder: None)
    monkeypatch.setattr(own_rows, "load_tokenizer", lambda folder: tokenizer())
    monkeypatch.setattr(own_rows, "load_model", lambda *_: Model())
    monkeypatch.setattr(own_rows, "measure", lambda *_: said)
    monkeypatch.setattr(own_rows, "ablated", lambda *_: {})
    data = tmp_path / "rows.jsonl"

    def measuring(*rows: dict[str, Any]) -> dict[str, Any]:
        write_rows(data, rows)
        return measured_on(tmp_path, "cot", known_capabilities()["cot"], data, 200, {})

    return measuring


class Model:
    def to(self, place: Any) -> Model:
        return self


def test_columns_that_nothing_reads_are_named(measured: Any) -> None:
    found = measured({**GOOD, "level_of_fun": 3, "id": 1}, GOOD)
    assert found["columns_not_read"] == {"level_of_fun": 1} and found["media_not_read"] == {}
    assert list(unread_in(found, Path("rows.jsonl"))) == [
        "rows.jsonl: columns that are not read: level_of_fun (1 row)"
    ]


def test_media_that_the_text_refers_to_are_no_text(measured: Any) -> None:
    found = measured({**GOOD, "image": "a.png"}, {**GOOD, "question": "<image> What?", "image": "a.png"})
    assert found["media_not_read"] == {"image": 1}
    assert list(found["refused"].values()) == [1] and "shows the image in 'image' by <image>" in next(
        iter(found["refused"])
    )
