"""Calls and functions in every spelling of the peers read the same; malformed ones are refused."""

from __future__ import annotations

import json

import pytest

from manus.data.forms.thought_format import from_markers, render_thought, split_thought, spoken_part
from manus.data.forms.tool_format import parse_calls, render_calls, render_tools, rewrite_calls
from manus.data.forms.tool_schemas import as_tool, read_tools, tools_within

CALL = {"name": "f", "arguments": {"x": 1}}

SPELLINGS = [
    '<tool_call>\n{"name":"f","arguments":{"x":1}}\n</tool_call>',
    '<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>',
    "<tool_call>\n{'arguments': {'x': 1}, 'name': 'f'}\n</tool_call>",
    '<tool_call>{"name": "f", "parameters": {"x": 1}}</tool_call>',
    '<tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}</tool_call>',
    '<tool_call>[{"name": "f", "arguments": {"x": 1}}]</tool_call>',
    '<tool_call>{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}</tool_call>',
    'Let me see.\n<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call> Done.',
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_is_the_same_call(text):
    assert parse_calls(text) == [CALL]


def test_several_calls_keep_their_order_and_no_call_is_none():
    calls = [CALL, {"name": "g", "arguments": {}}, CALL]
    assert parse_calls(render_calls(calls)) == calls
    two_in_one_block = (
        '<tool_call>\n{"name":"f","arguments":{"x":1}}\n{"name":"g","arguments":{}}\n</tool_call>'
    )
    assert parse_calls(two_in_one_block) == calls[:2]
    assert parse_calls("None of these functions can do that.") == []


def test_an_argument_may_contain_the_tags_and_any_letters():
    call = {
        "name": "f",
        "arguments": {"x": 'say "</tool_call>" – ünïcode\n', "y": [True, None, 1.5, {"z": "{"}]},
    }
    assert parse_calls(f"a {render_calls([call])} b") == [call]


MALFORMED = [
    '<tool_call>{"name": "f", "arguments": {"x": 1}}',
    '{"name": "f", "arguments": {}}</tool_call>',
    '<tool_call>{"name": "f", "arguments": {"x": 1}</tool_call>',
    "<tool_call></tool_call>",
    "<tool_call>[]</tool_call>",
    "<tool_call>f(x=1)</tool_call>",
    '<tool_call>"f"</tool_call>',
    "<tool_call>3</tool_call>",
    '<tool_call>{"arguments": {"x": 1}}</tool_call>',
    '<tool_call>{"name": 3, "arguments": {}}</tool_call>',
    '<tool_call>{"name": "f", "arguments": [1]}</tool_call>',
    '<tool_call>{"name": "f", "arguments": "x=1"}</tool_call>',
    '<tool_call>{"name": "f", "arguments": {"x": NaN}}</tool_call>',
    f"<tool_call>{'[' * 100_000}</tool_call>",
    "<tool_call>{[]: 1}</tool_call>",
    '<tool_call><tool_call>{"name":"f","arguments":{}}</tool_call></tool_call>',
]


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_calls_are_refused(text):
    with pytest.raises(ValueError, match=r"\S"):
        parse_calls(text)


def test_what_stands_around_rewritten_calls_is_kept():
    assert rewrite_calls("a <tool_call>{'name': 'f', 'arguments': {}}</tool_call> b") == (
        'a <tool_call>\n{"name":"f","arguments":{}}\n</tool_call> b'
    )


def test_values_that_are_not_json_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        render_calls([{"name": "f", "arguments": {"x": {1, 2}}}])
    with pytest.raises(ValueError, match="JSON"):
        render_calls([{"name": "f", "arguments": {"x": float("nan")}}])


def test_the_system_text_lists_one_function_a_line_and_can_be_read_again():
    tools = [as_tool({"name": "f", "parameters": {"x": {"type": "int"}}}), as_tool({"name": "g"})]
    text = render_tools(tools)
    listed = text.partition("<tools>\n")[2].removesuffix("\n</tools>").splitlines()
    assert [json.loads(line)["name"] for line in listed] == ["f", "g"]
    assert "none fits" in text and "<tool_call>" in text
    assert tools_within(text) == tools


def test_xlam_parameters_become_json_schema():
    tool = as_tool(
        {
            "name": "search",
            "description": "Search.",
            "parameters": {
                "q": {"description": "query", "type": "str"},
                "limit": {"description": "how many", "type": "int, optional", "default": 10},
                "ratio": {"type": "float", "default": ""},
                "exact": {"type": "bool, optional"},
                "ids": {"type": "List[int]"},
                "filters": {"type": "Dict[str, int], optional"},
                "either": {"type": "Union[int, str]"},
                "maybe": {"type": "Optional[float]"},
                "type": {"type": "str", "description": "a parameter called type"},
            },
        }
    )
    assert tool["parameters"]["properties"] == {
        "q": {"type": "string", "description": "query"},
        "limit": {"type": "integer", "description": "how many", "default": 10},
        "ratio": {"type": "number", "default": ""},
        "exact": {"type": "boolean"},
        "ids": {"type": "array", "items": {"type": "integer"}},
        "filters": {"type": "object"},
        "either": {},
        "maybe": {"type": "number"},
        "type": {"type": "string", "description": "a parameter called type"},
    }
    assert tool["parameters"]["required"] == ["q", "ids", "either", "type"]


def test_json_schema_is_kept_with_its_types_mended():
    raw = {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {
                "type": "dict",
                "properties": {
                    "unit": {"type": "string", "enum": ["c", "f"], "description": None},
                    "spans": {"type": "array", "items": {"type": "float"}},
                    "inner": {"type": "dict", "properties": {"a": {"type": "int"}}},
                    "of another function": None,
                },
            },
            "required": ["unit"],
        },
    }
    assert as_tool(raw)["parameters"] == {
        "type": "object",
        "properties": {
            "unit": {"type": "string", "enum": ["c", "f"]},
            "spans": {"type": "array", "items": {"type": "number"}},
            "inner": {"type": "object", "properties": {"a": {"type": "integer"}}},
        },
        "required": ["unit"],
    }
    assert as_tool(as_tool(raw)) == as_tool(raw)


NO_FUNCTIONS = [
    {},
    {"name": ""},
    {"name": 3},
    "f",
    "",
    3,
    {"name": "f", "parameters": [1]},
    {"name": "f", "parameters": {"type": "object", "properties": 3}},
    {"name": "f", "description": {1}},
    {"name": "f", "description": "\ud800"},
    {"name": "f", "parameters": {"x": 3}},
]


@pytest.mark.parametrize("raw", NO_FUNCTIONS, ids=range(len(NO_FUNCTIONS)))
def test_what_is_no_function_is_refused(raw):
    with pytest.raises(ValueError, match=r"\S"):
        read_tools([raw])


def test_functions_are_found_in_system_texts():
    first, second = {"name": "f", "parameters": {}}, {"name": "g", "parameters": {}}
    for text in (
        f"within <tools></tools> tags: <tools> {json.dumps([first, second])} </tools>",
        f"<tools>\n{json.dumps(first)}\n{json.dumps(second)}\n</tools>",
        f"<tools>\n{first}\n{second}\n</tools>",
        (
            "with access to the following functions. Use them if required -\n"
            f"{json.dumps(first, indent=4)}\n\n{json.dumps(second)}"
        ),
    ):
        assert [tool["name"] for tool in tools_within(text)] == ["f", "g"], text
    assert tools_within('You are {"name": "Bob", "age": 3}') == []
    assert tools_within("You are helpful.") == []
    with pytest.raises(ValueError, match="neither JSON"):
        tools_within("<tools> get_weather(city) </tools>")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("<think>\na\n</think>\nb", ("a", "b")),
        ("<think>a</think>b", ("a", "b")),
        ("  <think>a</think>\n\nb ", ("a", "b")),
        ("b", None),
        ("<think>a", None),
        ("<think></think>b", None),
        ("<think> \n</think>b", None),
        ("<think>a</think>", None),
        ("a</think>b", None),
        ("<think>a</think><think>c</think>b", None),
        ("b<think>a</think>", None),
    ],
)
def test_a_thought_is_well_formed_or_none(text, parts):
    assert split_thought(text) == parts


def test_thoughts_in_other_forms():
    marked = (
        "<|begin_of_thought|>\n\na\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nb\n\n<|end_of_solution|>"
    )
    assert from_markers(marked) == render_thought("a", "b") == "<think>\na\n</think>\nb"
    assert from_markers("b") == "b"
    with pytest.raises(ValueError, match="incomplete"):
        from_markers("<|begin_of_thought|>a")
    assert [spoken_part(text) for text in ("<think>a</think>b", "b", "<think>a", "a</think>b")] == [
        "b",
        "b",
        "",
        "b",
    ]
