"""tools reads xlam, OpenAI, Hermes and Glaive rows into one form and scores exact calls."""

from __future__ import annotations

import json

import pytest

from manus.capabilities import tools
from manus.data.forms.tool_format import NO_FUNCTION_FITS, parse_calls
from manus.data.forms.tool_schemas import tools_within
from manus.data.sample import RowError

XLAM = {
    "id": 0,
    "query": "Where can I find live giveaways for beta access and games?",
    "answers": '[{"name": "live_giveaways_by_type", "arguments": {"type": "beta"}}, '
    '{"name": "live_giveaways_by_type", "arguments": {"type": "game"}}]',
    "tools": '[{"name": "live_giveaways_by_type", "description": "Retrieve live giveaways.", '
    '"parameters": {"type": {"description": "The type of giveaways.", "type": "str", "default": "game"}}}]',
}
AREA = {
    "name": "calculate_area",
    "description": "Calculate the area of a shape",
    "parameters": {
        "type": "object",
        "properties": {
            "shape": {"type": "string"},
            "dimensions": {"type": "array", "items": {"type": "number"}},
        },
        "required": ["shape", "dimensions"],
    },
}
CALL = {"name": "calculate_area", "arguments": {"shape": "rectangle", "dimensions": [5, 3]}}
GLAIVE = {
    "conversations": [
        {"from": "human", "value": "The area of a rectangle of 5 by 3?"},
        {"from": "function_call", "value": json.dumps(CALL)},
        {"from": "observation", "value": '{"area": 15}'},
        {"from": "gpt", "value": "It is 15."},
        {"from": "human", "value": "And 4 by 2?"},
        {
            "from": "function_call",
            "value": '{"name": "calculate_area", "arguments": {"shape": "rectangle", "dimensions": [4, 2]}}',
        },
    ],
    "tools": json.dumps([AREA]),
}
HERMES = {
    "id": "1",
    "conversations": [
        {
            "from": "system",
            "value": "You are a function calling AI model. Signatures are within <tools></tools> XML tags.\n"
            "<tools>\n"
            f"[{ {'type': 'function', 'function': AREA} }]\n</tools>\nFor each call return <tool_call> tags.",
        },
        {"from": "human", "value": "The area of a rectangle of 5 by 3?"},
        {"from": "gpt", "value": f"<tool_call>\n{CALL}\n</tool_call>"},
    ],
    "category": "Geometry",
    "task": "Areas",
}
OPENAI = {
    "messages": [
        {"role": "system", "content": "You teach geometry."},
        {"role": "user", "content": "The area of a rectangle of 5 by 3?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": CALL | {"arguments": json.dumps(CALL["arguments"])},
                }
            ],
        },
    ],
    "tools": [{"type": "function", "function": AREA}],
}
NO_FIT = {
    "messages": [*OPENAI["messages"][:2], {"role": "assistant", "content": NO_FUNCTION_FITS}],
    "tools": [AREA],
}


def test_xlam_rows():
    sample = tools.read(XLAM)
    assert [message["role"] for message in sample["messages"]] == ["system", "user", "assistant"]
    assert sample["tools"][0]["parameters"] == {
        "type": "object",
        "properties": {
            "type": {"type": "string", "description": "The type of giveaways.", "default": "game"}
        },
    }
    assert sample["calls"] == json.loads(XLAM["answers"]) == parse_calls(sample["messages"][-1]["content"])
    assert sample["level"] == "several calls"
    lists = XLAM | {"answers": json.loads(XLAM["answers"]), "tools": json.loads(XLAM["tools"])}
    assert tools.read(lists) == sample


def test_an_xlam_row_without_answers_says_that_nothing_fits():
    sample = tools.read(XLAM | {"answers": "[]"})
    assert sample["messages"][-1]["content"] == NO_FUNCTION_FITS
    assert sample["calls"] == [] and sample["level"] == "no call" and tools.can_score(sample)


@pytest.mark.parametrize("row", [HERMES, OPENAI], ids=["hermes", "openai"])
def test_rows_of_one_call(row):
    sample = tools.read(row)
    assert sample["calls"] == [CALL]
    assert sample["tools"] == [AREA]
    assert tools_within(sample["messages"][0]["content"]) == [AREA]
    assert sample["messages"][-1]["content"] == (
        '<tool_call>\n{"name":"calculate_area","arguments":{"shape":"rectangle","dimensions":[5,3]}}\n'
        "</tool_call>"
    )


def test_a_system_turn_of_the_users_is_kept_and_one_that_teaches_another_form_is_not():
    assert tools.read(OPENAI)["messages"][0]["content"].startswith("You teach geometry.\n\nCall functions as")
    assert "function calling AI model" not in tools.read(HERMES)["messages"][0]["content"]


def test_several_turns_are_kept_and_the_last_decides():
    sample = tools.read(GLAIVE)
    assert [m["role"] for m in sample["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
        "assistant",
    ]
    assert sample["calls"] == [
        {"name": "calculate_area", "arguments": {"shape": "rectangle", "dimensions": [4, 2]}}
    ]


def test_what_speaks_of_a_result_or_offers_nothing_is_not_probed():
    assert tools.can_score(tools.read(GLAIVE)) and tools.can_score(tools.read(NO_FIT))
    told = tools.read(GLAIVE | {"conversations": GLAIVE["conversations"][:4]})
    assert told["messages"][-1]["content"] == "It is 15." and not tools.can_score(told)
    assert not tools.can_score(tools.read({"instruction": "Hi", "output": "Hello!"}))


def said(*calls: object) -> str:
    return "\n".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in calls)


OTHER = CALL | {"arguments": {"shape": "rectangle", "dimensions": [3, 5]}}


@pytest.mark.parametrize(
    ("completion", "correct", "parsed", "name"),
    [
        (said(CALL), True, 1, 1),
        (said(CALL | {"arguments": {"dimensions": [5.0, 3], "shape": "rectangle"}}), True, 1, 1),
        (f"Sure.\n{said(CALL)}", True, 1, 1),
        (f"<think>\nan area\n</think>\n{said(CALL)}", True, 1, 1),
        (said(OTHER), False, 1, 1),
        (said(CALL | {"arguments": {"shape": "rectangle", "dimensions": ["5", "3"]}}), False, 1, 1),
        (said(CALL | {"name": "area"}), False, 1, 0),
        (said(CALL, CALL), False, 1, 0),
        (json.dumps(CALL), True, 1, 1),
        ('[calculate_area(shape="rectangle", dimensions=[5, 3])]', True, 1, 1),
        (f"<functioncall> {json.dumps(CALL)}", True, 1, 1),
        ('[calculate_area("rectangle")]', False, 0, 0),
        (said(CALL).removesuffix("</tool_call>"), False, 0, 0),
        ("<tool_call>area(5, 3)</tool_call>", False, 0, 0),
        ("It is 15.", False, 0, 0),
        ("", False, 0, 0),
    ],
)
def test_scores_of_calls(completion, correct, parsed, name):
    result = tools.score(tools.read(OPENAI), completion)
    assert (result.correct, result.parts["parsed"], result.parts["name"]) == (correct, parsed, name)
    assert bool(result.note) is not correct


def test_scores_where_no_function_fits():
    sample = tools.read(NO_FIT)
    assert tools.score(sample, "I cannot do that.").correct
    assert not tools.score(sample, said(CALL)).correct
    assert not tools.score(sample, "<tool_call>nonsense").correct
    assert not tools.score(sample, "<think>\nhm").correct


def test_a_default_may_be_given_or_left_out():
    sample = tools.read(XLAM)
    calls = json.loads(XLAM["answers"])
    assert tools.score(sample, said(calls[1], calls[0])).correct
    assert tools.score(sample, said(calls[0], calls[1] | {"arguments": {}})).correct
    assert not tools.score(sample, said(calls[0] | {"arguments": {}}, calls[1])).correct


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (XLAM | {"answers": "[{'arguments': {}}]"}, "'answers': a call without a name"),
        (XLAM | {"answers": "nothing"}, "'answers': neither JSON"),
        (XLAM | {"query": ""}, r"turn 1 \(user\) is empty"),
        (XLAM | {"tools": "[1]"}, "a function without a name"),
        (
            HERMES
            | {"conversations": [*HERMES["conversations"][:2], {"from": "gpt", "value": "<tool_call>f"}]},
            "turn 3",
        ),
        ({"query": "?", "foo": 1}, "'query' without an answer"),
    ],
)
def test_broken_rows(row, reason):
    with pytest.raises(RowError, match=reason):
        tools.read(row)
