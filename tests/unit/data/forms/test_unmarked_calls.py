"""Calls without a mark are calls if the row has the function; other namings are refused, words are words."""

from __future__ import annotations

from typing import Any

import pytest

from manus.capabilities import tools
from manus.data.forms.unmarked_calls import unmarked_calls
from manus.data.sample import RowError

OSLO, ROME = ({"name": "w", "arguments": {"c": city}} for city in ("Oslo", "Rome"))
W = {"name": "w", "parameters": {"type": "object", "properties": {"c": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('w(c="Oslo")', [OSLO]),
        ('```python\nw(c="Oslo")\n```', [OSLO]),
        ('w(c="Oslo")\nw(c="Rome")', [OSLO, ROME]),
        ('w(c="Oslo"), w(c="Rome")<|im_end|>', [OSLO, ROME]),
        ("w()", [{"name": "w", "arguments": {}}]),
        ("I asked w(c) and it said 3.", []),
        ("w is a letter (c).", []),
        ('{"city": "Oslo"}', []),
        ('v(c="Oslo")', []),
        ("```\nnow(1)\n```", []),
    ],
)
def test_what_is_a_call(text: str, calls: list[Any]) -> None:
    assert unmarked_calls(text, {"w"}) == calls
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}]
    assert tools.read({"messages": said, "tools": [W]})["calls"] == calls


@pytest.mark.parametrize(
    "text",
    [
        '{"action": "w", "action_input": {"c": "Oslo"}}',
        '[{"tool_name": "w", "tool_arguments": {"c": "Oslo"}}]',
        "Thought: hm\nCode:\n```py\nx = w(c='Oslo')\n```",
        'w("Oslo")',
        'print(w(c="Oslo"))',
        'answer = w(c="Oslo")',
    ],
)
def test_what_is_refused(text: str) -> None:
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}]
    with pytest.raises(RowError, match=r"turn 2: it (calls a function in code|names the function 'w')"):
        tools.read({"messages": said, "tools": [W]})
    without = {"name": "v", "parameters": {"type": "object", "properties": {}}}
    assert tools.read({"messages": said, "tools": [without]})["calls"] == []


def test_calls_that_stand_in_the_text_and_in_a_field_are_made_once() -> None:
    text = '<tool_call>\n{"name": "w", "arguments": {"c": "Oslo"}}\n</tool_call>'
    said: dict[str, Any] = {"role": "assistant", "content": text, "tool_calls": [{"function": OSLO}]}
    row = {"messages": [{"role": "user", "content": "q"}, said], "tools": [W]}
    assert tools.read(row)["calls"] == [OSLO]
    said["tool_calls"] = [{"function": ROME}]
    with pytest.raises(RowError, match="calls in its text, and other ones in a field of their own"):
        tools.read(row)
