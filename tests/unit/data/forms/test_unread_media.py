"""Media in rows that are read as text alone: refused where the text needs them, else said once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from manus.capabilities import cot
from manus.cli.data_view import facts
from manus.data.examination import examine
from manus.data.forms.pairs import read_pair
from manus.data.forms.unread_media import media_in, minding_media
from manus.data.sample import RowError
from manus.data.settings import DataSettings, Source
from manus.errors import DataError
from manus.files import read_jsonl
from manus.jobs.rows import reader_of
from manus.recipe.recipe import METHODS
from manus.recipe.stage import Stage
from tests.pico import pairs, rows
from tests.unit.data.preparation.test_media_intake import marked, prepared, source_of


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"image": "a/b.png"}, {"image": "image"}),
        ({"images": [{"bytes": b"x", "path": None}]}, {"image": "images"}),
        ({"img": b"x", "audio": "https://host/a"}, {"image": "img", "audio": "audio"}),
        ({"video": {"path": "a.mp4"}}, {"video": "video"}),
        ({"image": "data:image/png;base64,eA=="}, {"image": "image"}),
        ({"file_name": "a.jpg"}, {"image": "file_name"}),
        (
            {
                "file_name": "main.py",
                "speech": "Friends, Romans, countrymen.",
                "image": "",
                "images": [],
                "video": None,
            },
            {},
        ),
        ({"image": 3, "audio": {"text": "a"}, "png": "no"}, {}),
        ("no row", {}),
    ],
)
def test_columns_with_media_are_told_from_those_that_are_called_so(row: Any, found: dict[str, str]) -> None:
    assert media_in(row) == found


def stage_of(method: str, kind: Any) -> Any:
    settings = DataSettings(data=(Source(path="rows.jsonl"),))
    stage = Stage("stage", "cot", method, settings, METHODS[method].Settings(), cot.Settings())
    assert stage.data_kind == kind
    return reader_of(stage)


def test_preferences_about_media_are_refused_with_file_and_reason(tmp_path: Path) -> None:
    data: list[dict[str, Any]] = [{**row, "image": "a.png"} for row in pairs("first", 30)]
    source = source_of(tmp_path, data)
    with pytest.raises(DataError) as refused:
        prepared(tmp_path, source, None, "preference", stage_of("dpo", "preference"))
    told = str(refused.value)
    assert "30 of 30 rows" in told and "(image, in 'image')" in told and "learned from text alone" in told
    assert "first: data.jsonl" in told


def test_text_that_shows_a_picture_is_refused_where_it_is_not_seen() -> None:
    row = {"image": "a.png", "question": "<image>\nWhat is it?", "answer": "a cat"}
    with pytest.raises(RowError, match="shows the image in 'image' by <image>"):
        stage_of("lora", "messages")(row)
    assert stage_of("lora", "messages")({**row, "question": "What is a cat?"})["messages"]
    with pytest.raises(RowError, match="shows a medium by '<image>', which the row does not have"):
        stage_of("lora", "messages")({**row, "image": None})
    for html in ("What is <image> in SVG?", "Mend this:\n<video>\n<source src='a'>\n</video>"):
        assert stage_of("lora", "messages")({"question": html, "answer": "a cat"})["messages"]


def test_a_picture_beside_a_text_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data: list[dict[str, Any]] = [{**row, "image": "a.png"} for row in rows("first", 8)] + rows("last", 12)
    told = prepared(tmp_path, source_of(tmp_path, data), None, read=stage_of("lora", "messages"))
    assert told["media_not_read"] == {"image": 8} and told["quarantined"] == 0
    assert (
        capsys.readouterr().out.count("8 rows have image columns, which this capability does not read") == 1
    )
    found = examine(tmp_path / "out", marked(), 128, 1, 0)
    shown = Console(width=200)
    with shown.capture() as capture:
        for name, value in facts(found):
            shown.print(name, value)
    assert "media not read rows 8 with image columns" in capture.get()
    assert not list(read_jsonl(tmp_path / "out" / "quarantine.jsonl"))


def test_nothing_is_said_where_media_are_read_or_there_are_none(tmp_path: Path) -> None:
    told = prepared(tmp_path, source_of(tmp_path, rows("first", 20)), None, read=stage_of("lora", "messages"))
    assert "media_not_read" not in told
    seen = minding_media(
        lambda row: {"messages": [], "media": [{"kind": "image", "file": "a.png"}]}, "messages"
    )
    assert seen({"image": "a.png"})["media"]
    assert minding_media(lambda row: read_pair(row, cot.read), "preference")(pairs("first", 1)[0])["rejected"]
