"""Every column is read, left out by the recipe, or named: in all preparations, log, `manus data`, report."""

from __future__ import annotations

import random
import string
from pathlib import Path
from typing import Any

import pytest

from manus.capabilities import cot, tools, vision_qa
from manus.cli.data_view import facts
from manus.data.examination import Examination
from manus.data.forms import columns as module
from manus.data.forms.columns import IDENTIFYING, Columns, add_unread, is_empty
from manus.data.forms.media import rows_within
from manus.data.forms.messages import as_messages, as_text
from manus.data.forms.pairs import read_pair
from manus.data.forms.prompts import read_prompt
from manus.data.media.segments import rows_of_parts
from manus.data.preparation.choosing import prepare
from manus.data.settings import DataSettings, Source
from manus.report.page import _environment
from tests.pico import rows, tokenizer, write_rows

SHAPES: dict[str, tuple[dict[str, Any], Any]] = {
    "chat": (
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, cot.read,
    ),
    "sharegpt": (
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "system": "S"},
        cot.read,
    ),
    "alpaca": ({"instruction": "q", "input": "i", "output": "a", "history": [["b", "c"]]}, cot.read),
    "pair": ({"prompt": "q", "completion": "a", "context": "c"}, cot.read),
    "choices": ({"question": "q", "choices": ["a", "b"], "answer": 1}, cot.read),
    "worked": ({"question": "q", "answer": "1+1=2\n#### 2"}, cot.read),
    "calls": ({"query": "q", "answers": "[]", "tools": '[{"name": "f", "parameters": {}}]'}, tools.read),
    "picture": ({"image": "a.png", "question": "q", "answer": "a"}, vision_qa.read),
    "caption": ({"image": "a.png", "caption": "a fox"}, vision_qa.read),
    "marks": (
        {
            "images": ["a.png"],
            "messages": [{"role": "user", "content": "<image>q"}, {"role": "assistant", "content": "a"}],
        },
        vision_qa.read,
    ),
    "parts": (
        {
            "images": ["a.png"], "prompt": [{"role": "user", "content": [{"type": "image"}]}],
            "completion": "a",
        },
        vision_qa.read,
    ),
    "preference": (
        {"prompt": "q", "chosen": "a", "rejected": "b", "system": "S"},
        lambda row: read_pair(row, as_messages),
    ),
    "prompt": (
        {"question": "q", "solution": "4", "answer": "4"},
        lambda row: read_prompt(row, cot.read, lambda one: "answer" in one),
    ),
    "text": ({"text": "Once."}, as_text),
}  # fmt: skip
VALUES = ["something", 3, 0, False, ["a"], {"a": 1}, b"x", 0.5]
KNOWN = {"solution"}  # which `prompt` has beside its answer


@pytest.mark.parametrize("shape", SHAPES)
def test_a_column_that_no_shape_knows_is_always_named(shape: str) -> None:
    row, read = SHAPES[shape]
    plain = Columns.of(row)
    assert set(plain.unread(read(plain))) <= KNOWN
    draw = random.Random(shape)
    for value in VALUES * 5:
        name = "".join(draw.choices(string.ascii_lowercase + "_", k=draw.randint(4, 12))) + "_x"
        place = draw.randint(0, len(row))
        mixed = dict([*list(row.items())[:place], (name, value), *list(row.items())[place:]])
        columns = Columns.of(mixed)
        assert name in columns.unread(read(columns)), (name, value)


@pytest.mark.parametrize("shape", ["chat", "sharegpt", "marks"])
def test_so_is_a_key_of_a_turn(shape: str) -> None:
    row, read = SHAPES[shape]
    column = next(key for key in ("messages", "conversations") if key in row)
    first, *others = row[column]
    columns = Columns.of({**row, column: [{**first, "zork": "x", "name_x": None}, *others]})
    assert columns.unread(read(columns)) == [f"{column}[].zork"]


def test_what_holds_nothing_only_identifies_or_is_said_by_a_turn_is_not_named() -> None:
    row = Columns.of(
        {
            "prompt": "q",
            "completion": "a",
            "id": 3,
            "e": " ",
            "n": None,
            "s": {"a": None, "b": []},
            "again": " q ",
        }
    )
    assert row.unread(as_messages(row)) == []
    assert "id" in IDENTIFYING and is_empty([None, {"a": ""}]) and not is_empty(0) and not is_empty(False)


def test_rows_that_are_made_of_one_remember_together() -> None:
    row = Columns.of(
        {"images": ["a.png"], "texts": [{"user": "q", "assistant": "a", "note": "n"}], "extra": 1}
    )
    (one,) = rows_within(row)
    assert isinstance(one, Columns) and one.unread(vision_qa.read(one)) == ["extra", "texts[].note"]
    row = Columns.of(
        {"audio": "a.wav", "segments": [{"start": 0, "end": 1, "text": "b"}], "text": "b", "description": "d"}
    )
    (part,) = rows_of_parts(row, None) or []
    assert isinstance(part, Columns) and part.unread(vision_qa.read(part)) == ["description"]


def test_a_column_is_not_read_because_another_was_put_in_its_place() -> None:
    other = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    row = Columns.of({"prompt": "q", "chosen": "a", "rejected": "b", "conversation": "z", "level": "1"})
    assert row.unread(read_pair(row, as_messages)) == ["conversation"]
    derived = row.replaced(conversation=other)
    assert derived.take("conversation") is other and "conversation" in row.unread({"messages": []})


def test_columns_beyond_many_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_COLUMNS", 2)
    counted: module.Unread = {}
    add_unread(counted, "s", {"a": 1, "b": 2, "c": 3, "d": 4})
    assert counted == {"s": {"a": 1, "b": 2, module.OTHERS: 7}}


def prepared(folder: Path, way: str, source: Source, read: Any = cot.read) -> dict[str, Any]:
    (folder / "out").mkdir()
    never = {"prepare": "never", "data": (source,)} if way == "on the fly" else {}
    settings = DataSettings(
        **{"held_out": 5, "max_length": 64, "index_above_bytes": 0 if way == "shards" else 10**9, **never}
    )
    return prepare(
        [source], settings, read, "messages", tokenizer(), folder, 0, folder / "out", folder / "work"
    )


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    data = [
        dict(row) | {"zork": "x", "score": n if n % 2 else None} for n, row in enumerate(rows("first", 40))
    ]
    return write_rows(tmp_path / "data.jsonl", data + rows("last", 20))


@pytest.mark.parametrize("way", ["memory", "shards", "on the fly"])
def test_unread_columns_are_counted_and_said_in_every_way_of_preparing(
    way: str, mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = prepared(tmp_path, way, Source(path=str(mixed)))
    (found,) = told["columns_not_read"].values()
    assert type(found) is dict  # a manifest is copied by asdict, which counts the pairs of a Counter anew
    assert set(told["columns_not_read"]) == {"data.jsonl"}
    if way == "on the fly":  # of the rows that were looked at: others stand in for those held out
        assert 30 <= found["zork"] <= 60 and 10 <= found["score"] <= 40
    else:
        assert found == {"zork": 40, "score": 20}
    assert f"data.jsonl: columns that are not read: zork ({found['zork']} rows)" in capsys.readouterr().out


@pytest.mark.parametrize("way", ["memory", "shards", "on the fly"])
def test_what_the_recipe_ignores_is_neither_read_nor_named(way: str, mixed: Path, tmp_path: Path) -> None:
    told = prepared(tmp_path, way, Source(path=str(mixed), ignore=("zork", "score")))
    assert "columns_not_read" not in told


def test_an_ignored_column_is_not_read() -> None:
    from manus.data.sources.rows import renamed

    row = {"frage": "q", "a": "x", "label": False, "context": "c"}
    source = Source(path="x.jsonl", columns={"question": "frage", "answer": "a"}, ignore=("label", "context"))
    assert renamed(row, source) == {"question": "q", "answer": "x"}
    with pytest.raises(ValueError, match="stands under columns and under ignore"):
        Source(path="x.jsonl", columns={"question": "frage"}, ignore=("frage",))


@pytest.mark.parametrize("way", ["memory", "shards", "on the fly"])
def test_rows_that_are_not_to_be_learned_are_left_aside_and_not_bad(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    data = [{**row, "train": n % 2 == 0} for n, row in enumerate(rows("first", 60))]
    told = prepared(tmp_path, way, Source(path=str(write_rows(tmp_path / "data.jsonl", data))))
    assert told["quarantined"] == 0 and "columns_not_read" not in told
    aside = {reason: count for reason, count in told["left_aside"].items() if "not to be learned" in reason}
    assert list(aside) == ["train: False says that the row is not to be learned"]
    assert way == "on the fly" or aside[next(iter(aside))] == 30


def test_manus_data_and_the_report_name_them() -> None:
    columns = {"a.jsonl": {"zork": 2, "score": 1}}
    statistics = {
        "rows": 3,
        "quarantined": 0,
        "train_samples": 2,
        "held_out_samples": 1,
        "tokens": 9,
        "left_aside": {},
        "sources": ["a.jsonl"],
        "columns_not_read": columns,
    }
    found = Examination("arrays", statistics, 0, 0, 0, [], 1, None, None, 0, [])
    said = dict(facts(found))["columns not read"]
    assert "a.jsonl: columns that are not read: zork (2 rows), score (1 row)" in str(said)
    template = _environment().from_string("{{ columns | counted }}")
    assert template.render(columns=columns["a.jsonl"]) == "zork (2 rows), score (1 row)"
