"""Rows in the shapes that peers publish become conversations, and broken ones say exactly why not."""

from __future__ import annotations

import json

import pytest

from manus.data.forms.messages import as_messages, as_text
from manus.data.sample import RowError

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CALL_TEXT = '<tool_call>\n{"name":"get_weather","arguments":{"city":"Oslo"}}\n</tool_call>'


def turns(row: dict) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in as_messages(row)["messages"]]


OPENAI_CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
}
TRL_CALL = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
HERMES_SYSTEM = (
    "You are a function calling AI model. "
    "You are provided with function signatures within <tools></tools> XML tags. "
    "<tools>\n[" + repr(WEATHER) + "]\n</tools>\nFor each function call return a json object."
)
QUESTION = ("user", "Weather in Oslo?")

CONVERSATIONS = {
    "openai": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello!"},
        ]
    },
    "developer and content parts": {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Hello!"}]},
        ]
    },
    "arrow fills with nulls": {
        "messages": [
            {"role": "system", "content": "Be brief.", "tool_calls": None, "name": None},
            {"role": "user", "content": "Hi", "tool_calls": None, "name": None},
            {"role": "assistant", "content": "Hello!", "tool_calls": None, "name": None},
        ],
        "tools": None,
    },
    "sharegpt": {
        "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}],
        "system": "Be brief.",
    },
    "sharegpt with its own system turn": {
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "Hi"},
            {"from": "gpt", "value": "Hello!"},
        ],
        "system": "Overridden.",
    },
    "pygmalion": {
        "conversations": [{"role": "user", "value": "Hi"}, {"role": "assistant", "value": "Hello!"}],
        "system": "Be brief.",
    },
    "as text in a CSV file": {
        "conversations": "[{'from': 'human', 'value': 'Hi'}, {'from': 'gpt', 'value': 'Hello!'}]",
        "system": "Be brief.",
    },
    "ms-swift pairs": {"system": "Be brief.", "conversation": [{"human": "Hi", "assistant": "Hello!"}]},
    "ms-swift query": {"system": "Be brief.", "query": "Hi", "response": "Hello!"},
    "alpaca": {"instruction": "Hi", "input": "", "output": "Hello!", "system": "Be brief.", "history": []},
    "trl pair": {"prompt": "Hi", "completion": " Hello!", "system": "Be brief."},
    "trl conversational pair": {
        "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "completion": [{"role": "assistant", "content": "Hello!"}],
    },
    "OpenOrca": {"id": "1", "system_prompt": "Be brief.", "question": "Hi", "response": "Hello!"},
    "other names of a pair": {"instruction": "Hi", "completion": "Hello!", "system": "Be brief."},
    "question and answer": {"question": "Hi", "answer": "Hello!", "system_prompt": "Be brief."},
    "with a trailing user turn": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "Bye"},
        ]
    },
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_every_shape_gives_the_same_conversation(name):
    assert turns(CONVERSATIONS[name]) == [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!")]


CALLS = {
    "openai, arguments as text": {
        "messages": [
            {"role": "user", "content": "Weather in Oslo?"},
            {"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": '{"rain": true}'},
            {"role": "assistant", "content": "It rains."},
        ],
        "tools": [WEATHER],
    },
    "trl, arguments as an object, tools as text": {
        "messages": [
            {"role": "user", "content": "Weather in Oslo?"},
            {"role": "assistant", "tool_calls": [TRL_CALL]},
            {"role": "tool", "name": "get_weather", "content": '{"rain": true}'},
            {"role": "assistant", "content": "It rains."},
        ],
        "tools": json.dumps([WEATHER]),
    },
    "legacy openai": {
        "messages": [
            {"role": "user", "content": "Weather in Oslo?"},
            {"role": "assistant", "content": "", "function_call": OPENAI_CALL["function"]},
            {"role": "function", "name": "get_weather", "content": '{"rain": true}'},
            {"role": "assistant", "content": "It rains."},
        ],
        "tools": [json.dumps(WEATHER)],
    },
    "LLaMA-Factory glaive": {
        "conversations": [
            {"from": "human", "value": "Weather in Oslo?"},
            {"from": "function_call", "value": '{"name": "get_weather", "arguments": {"city": "Oslo"}}'},
            {"from": "observation", "value": '{"rain": true}'},
            {"from": "gpt", "value": "It rains."},
        ],
        "tools": json.dumps([WEATHER["function"]]),
    },
    "sharegpt glaive, arguments as a quoted text": {
        "conversations": [
            {"from": "human", "value": "Weather in Oslo?"},
            {"from": "function-call", "value": '{"name": "get_weather", "arguments": \'{"city": "Oslo"}\'}'},
            {"from": "function-response", "value": '{"rain": true}'},
            {"from": "gpt", "value": "It rains."},
        ],
        "tools": [WEATHER],
    },
    "ms-swift": {
        "messages": [
            {"role": "user", "content": "Weather in Oslo?"},
            {"role": "tool_call", "content": '{"name": "get_weather", "arguments": {"city": "Oslo"}}'},
            {"role": "tool_response", "content": '{"rain": true}'},
            {"role": "assistant", "content": "It rains."},
        ],
        "tools": json.dumps([WEATHER]),
    },
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_of_every_shape_become_the_same_text(name):
    sample = as_messages(CALLS[name])
    said = [(message["role"], message["content"]) for message in sample["messages"]]
    assert said == [
        QUESTION,
        ("assistant", CALL_TEXT),
        ("tool", '{"rain": true}'),
        ("assistant", "It rains."),
    ]
    assert sample["tools"] == [WEATHER["function"]]


def test_hermes_rows_with_python_quotes():
    row = {
        "conversations": [
            {"from": "system", "value": HERMES_SYSTEM},
            {"from": "human", "value": "Weather in Oslo?"},
            {
                "from": "gpt",
                "value": "<tool_call>\n{'arguments': {'city': 'Oslo'}, 'name': 'get_weather'}\n"
                "</tool_call>\n",
            },
            {"from": "tool", "value": "<tool_response>\n{'rain': True}\n</tool_response>\n"},
            {"from": "gpt", "value": "It rains."},
        ],
        "category": "Weather",
    }
    sample = as_messages(row)
    assert [m["content"] for m in sample["messages"][1:]] == [
        QUESTION[1],
        CALL_TEXT,
        "{'rain': True}",
        "It rains.",
    ]
    assert sample["tools"] == [WEATHER["function"]]


def test_neighbouring_calls_of_ms_swift_are_one_turn_and_results_stay_apart():
    call = '{"name": "aqi", "arguments": {"city": "%s"}}'
    row = {
        "messages": [
            {"role": "user", "content": "Air in Beijing and Shanghai?"},
            {"role": "assistant", "content": "<think>\nTwo calls.\n</think>\n"},
            {"role": "tool_call", "content": call % "Beijing"},
            {"role": "tool_call", "content": call % "Shanghai"},
            {"role": "tool_response", "content": "10"},
            {"role": "tool_response", "content": {"aqi": 72}},
            {"role": "assistant", "content": "Good and fair."},
        ]
    }
    said = turns(row)
    assert [role for role, _ in said] == ["user", "assistant", "tool", "tool", "assistant"]
    assert (
        said[1][1].startswith("<think>\nTwo calls.\n</think>\n<tool_call>")
        and said[1][1].count("<tool_call>") == 2
    )
    assert said[3][1] == '{"aqi":72}'


def test_reasoning_that_stands_in_a_field_of_its_own_becomes_a_thought():
    row = {
        "messages": [
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "reasoning_content": "One and one.", "content": "2"},
        ]
    }
    assert turns(row)[-1] == ("assistant", "<think>\nOne and one.\n</think>\n2")


def test_alpaca_joins_instruction_and_input_and_keeps_the_history():
    row = {
        "instruction": "Add them.",
        "input": "1, 2",
        "output": "3",
        "history": [["Hi", "Hello!"], ["How are you?", "Fine."]],
    }
    assert [content for _, content in turns(row)] == [
        "Hi",
        "Hello!",
        "How are you?",
        "Fine.",
        "Add them.\n1, 2",
        "3",
    ]


def test_a_conversation_keeps_answer_and_level_but_a_pair_does_not_take_its_answer_twice():
    row = CONVERSATIONS["openai"] | {"answer": 42, "level": "2"}
    sample = as_messages(row)
    assert (sample["answer"], sample["level"]) == ("42", "2")
    assert "answer" not in as_messages({"question": "1+1?", "answer": "2"})


def chat(*said: tuple[object, object]) -> dict:
    return {"messages": [{"role": role, "content": content} for role, content in said]}


BROKEN = {
    "empty answer": (chat(("user", "Hi"), ("assistant", "  ")), r"turn 2 \(assistant\) is empty"),
    "no content": (chat(("user", "Hi"), ("assistant", None)), r"turn 2 \(assistant\) is empty"),
    "empty question": (chat(("user", ""), ("assistant", "Hello!")), r"turn 1 \(user\) is empty"),
    "no assistant": (chat(("user", "Hi")), "no assistant turn"),
    "no turns": ({"messages": []}, "no assistant turn"),
    "unknown role": (chat(("narrator", "Once"), ("assistant", "Yes")), "turn 1: no such role: 'narrator'"),
    "role that is no text": (chat((1, "Hi"), ("assistant", "Yes")), "turn 1: the role is a number"),
    "begins with the assistant": (
        chat(("system", "Be."), ("assistant", "Hello!")), "begins with the assistant",
    ),
    "late system turn": (
        chat(("user", "Hi"), ("assistant", "Yes"), ("system", "Be."), ("user", "Hi"), ("assistant", "Yes")),
        "turn 3: a system turn after",
    ),
    "a result without a call": (
        chat(("user", "Hi"), ("tool", "3"), ("assistant", "3")),
        "turn 2: a tool's result that no call precedes",
    ),
    "content of a wrong type": (
        chat(("user", 3), ("assistant", "Yes")), "turn 1: the content is a number, not text",
    ),
    "an image": (
        chat(("user", [{"type": "image_url", "image_url": "x"}]), ("assistant", "Yes")),
        "type 'image_url' is not text",
    ),
    "half a surrogate": (
        chat(("user", "Hi \ud83d"), ("assistant", "Yes")), "turn 1: half of a surrogate pair",
    ),
    "turns that are no list": ({"messages": {"role": "user"}}, "a list of turns, not an object"),
    "a turn that is no object": ({"messages": ["Hi"]}, "turn 1 is text, not an object"),
    "a turn without a role": ({"messages": [{"content": "Hi"}]}, "turn 1: it has neither 'role' nor 'from'"),
    "messages as broken text": ({"messages": "[{'role'"}, "'messages' is neither JSON nor"),
    "an open call": (
        chat(("user", "Hi"), ("assistant", '<tool_call>{"name": "f"}')), "turn 2: <tool_call> is not closed",
    ),
    "a call turn that is no call": (
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "function_call", "value": "f(1)"}]},
        "turn 2: neither JSON nor a Python literal",
    ),
    "tools that are none": (CONVERSATIONS["openai"] | {"tools": "[3]"}, "a function without a name"),
    "alpaca without output": ({"instruction": "Hi", "input": ""}, "'instruction' without an answer"),
    "alpaca with an empty output": ({"instruction": "Hi", "output": ""}, "assistant.* is empty"),
    "history that is none": (
        {"instruction": "Hi", "output": "Yes", "history": ["Hi"]}, "'history' is not a list",
    ),
    "unknown columns": ({"foo": 1, "bar": 2}, "no known shape: the columns are bar, foo"),
    "no columns": ({}, "no known shape"),
    "no row": (["Hi"], "a row is an object"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rows_are_refused_with_the_exact_reason(name):
    row, reason = BROKEN[name]
    with pytest.raises(RowError, match=reason):
        as_messages(row)


def test_text_rows():
    assert as_text({"text": "Once upon a time.\n"}) == {"text": "Once upon a time.\n"}
    assert as_text({"content": "def f(): ..."}) == {"text": "def f(): ..."}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": " \n"}, "'text' is empty"),
        ({"text": 3}, "'text' is not text"),
        ({"text": "\ud800"}, "surrogate"),
        ({"messages": []}, "no text"),
    ],
)
def test_broken_text_rows(row, reason):
    with pytest.raises(RowError, match=reason):
        as_text(row)
