"""Of a key that stands twice in one object no value is taken in silence, wherever the object stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from manus.capabilities import tools
from manus.data.forms.call_forms import bare_calls
from manus.data.forms.literals import read_literal
from manus.data.forms.messages import as_messages
from manus.data.forms.tool_format import parse_calls
from manus.data.forms.tool_schemas import tools_within
from manus.data.sample import RowError
from manus.data.settings import Source
from manus.data.sources.rows import rows
from manus.data.strict_json import RepeatedKey, doubled_within, loads, loads_with_doubled
from manus.errors import DataError

TWICE = "stands twice in one object"


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '[{"b": {"c": [{"a": 1, "d": 2, "a": 3}]}}]'])
def test_a_repeated_key_is_refused_at_any_depth(text: str) -> None:
    with pytest.raises(RepeatedKey, match=f"the key 'a' {TWICE}"):
        loads(text)
    value, is_doubled = loads_with_doubled(text)
    assert is_doubled and TWICE in str(doubled_within(value))


def test_the_same_key_in_two_objects_is_none() -> None:
    text = '[{"a": {"a": 1}}, {"a": 2}]'
    assert loads(text) == [{"a": {"a": 1}}, {"a": 2}]
    assert loads_with_doubled(text) == (loads(text), False) and doubled_within(loads(text)) is None


GOOD = '{"prompt": "p", "completion": "c"}'
BAD = (
    '{"prompt": "p", "completion": "good", "completion": "BAD"}',
    '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "content": "BAD"}]}',
)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("form", ["jsonl", "list", "wrapped list"])
def test_only_its_row_is_bad_in_every_format(bad: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / ("rows.jsonl" if form == "jsonl" else "rows.json")
    listed = f"[{GOOD}, {bad}, {GOOD}]"
    path.write_text(
        {"jsonl": f"{GOOD}\n{bad}\n{GOOD}\n", "list": listed, "wrapped list": f'{{"data": {listed}}}'}[form]
    )
    found = [row for _, row in rows(Source(path=str(path)), tmp_path, 0, 0, False)]
    assert found[0] == found[2] == json.loads(GOOD) and TWICE in found[1]


def test_two_lists_of_one_name_are_no_file_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(f'{{"data": [{GOOD}], "data": [{GOOD}]}}')
    with pytest.raises(DataError, match=f"rows.json: the key 'data' {TWICE}"):
        list(rows(Source(path=str(path)), tmp_path, 0, 0, False))


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "{'a': 1, 'a': 2}", "[{'b': {0: 1, 0: 2}}]"])
def test_nor_in_json_or_python_that_a_text_holds(text: str) -> None:
    with pytest.raises(RepeatedKey, match=TWICE):
        read_literal(text)


CALL = '{"name": "w", "arguments": {"c": 1, "c": 2}}'
CALLS = (
    f"<tool_call>\n{CALL}\n</tool_call>",
    f"[TOOL_CALLS] [{CALL}]",
    f"<|python_tag|>{CALL}",
    '<functioncall> {"name": "w", "arguments": \'{"c": 1, "c": 2}\'}',
    '<function=w>{"c": 1, "c": 2}</function>',
    "<|tool_call_start|>[w(c=1, c=2)]<|tool_call_end|>",
)


@pytest.mark.parametrize("text", CALLS)
def test_nor_in_the_arguments_of_a_call(text: str) -> None:
    with pytest.raises(RepeatedKey, match=f"the key 'c' {TWICE}"):
        parse_calls(text)
    row: dict[str, Any] = {
        "tools": [{"name": "w", "parameters": {"type": "object", "properties": {"c": {"type": "integer"}}}}]
    }
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}]
    with pytest.raises(RowError, match=TWICE):
        tools.read(row | {"messages": said})


def test_nor_in_bare_calls_or_in_functions() -> None:
    for text in (CALL, "[w(c=1, c=2)]"):
        with pytest.raises(RepeatedKey):
            bare_calls(text)
    with pytest.raises(RepeatedKey):
        tools_within('Use them if required - {"name": "w", "name": "v", "parameters": {}}')
    row = {"tools": '[{"name": "w", "name": "v"}]', "prompt": "p", "completion": "c"}
    with pytest.raises(RowError, match=TWICE):
        as_messages(row)


@pytest.mark.parametrize("way", ["in order", "by number"])
def test_nor_in_the_columns_of_parquet(way: str, tmp_path: Path) -> None:
    from manus.data.sources.parquet import Parquet

    path = tmp_path / "rows.parquet"
    inner = pyarrow.StructArray.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    for table in (
        pyarrow.Table.from_arrays([pyarrow.array(["p"]), pyarrow.array(["q"])], names=["a", "a"]),
        pyarrow.Table.from_arrays([inner], names=["b"]),
    ):
        parquet.write_table(table, path)
        with pytest.raises(DataError, match="two columns or fields are called 'a'"):
            if way == "in order":
                list(Parquet().rows(path))
            else:
                Parquet().by_number(path, "digest", tmp_path)
