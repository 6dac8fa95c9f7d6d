"""Rows in shapes of published data sets and peers' documents, with texts of ours, become just this."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manus.capabilities import cot, instruct, reasoning, thinking, tools, vision_qa
from manus.data.forms.columns import Columns
from manus.data.forms.messages import as_messages
from manus.data.forms.pairs import read_pair
from manus.data.forms.prompts import read_prompt
from manus.data.forms.tool_format import parse_calls
from manus.data.forms.tool_schemas import tools_within
from manus.data.sample import RowError, Sample
from manus.data.settings import Source
from manus.data.sources.rows import rows

Turns = list[tuple[str, str]]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "Weather of a city", "parameters": CITY}
CALL = '<tool_call>\n{"name":"get_weather","arguments":{"city":"Oslo"}}\n</tool_call>'
ASKED = ("user", "How warm is it in Oslo?")


def read(row: dict[str, Any], reader: Any = as_messages) -> tuple[Turns, list[str]]:
    """Return the turns of a row, and the columns that nothing reads."""
    columns = Columns.of(row)
    sample = reader(columns)
    return [(message["role"], message["content"]) for message in sample["messages"]], columns.unread(sample)


PUBLISHED: dict[str, tuple[dict[str, Any], Turns, list[str]]] = {
    "sql-create-context": (
        {"question": "How many?", "context": "CREATE TABLE t (a INT)", "answer": "SELECT COUNT(*) FROM t"},
        [("user", "How many?\nCREATE TABLE t (a INT)"), ("assistant", "SELECT COUNT(*) FROM t")], [],
    ),
    "article, question, answer": (
        {"article": "A fox sleeps.", "question": "Who?", "answer": "A fox."},
        [("user", "Who?\nA fox sleeps."), ("assistant", "A fox.")], [],
    ),
    "context, prompt, completion": (
        {"context": "A fox sleeps.", "prompt": "Who?", "completion": "A fox."},
        [("user", "Who?\nA fox sleeps."), ("assistant", "A fox.")], [],
    ),
    "Dolly": (
        {"instruction": "Who?", "context": "A fox sleeps.", "response": "A fox.", "category": "closed_qa"},
        [("user", "Who?\nA fox sleeps."), ("assistant", "A fox.")], ["category"],
    ),
    "Alpaca with a rendered text": (
        {"instruction": "Add.", "input": "1, 2", "output": "3", "text": "Below is an instruction ..."},
        [("user", "Add.\n1, 2"), ("assistant", "3")], ["text"],
    ),
    "LLaMA-Factory's Alpaca": (
        {
            "instruction": "Third", "input": "", "output": "three", "system": "Count.",
            "history": [["First", "one"], ["Second", "two"]],
        },
        [
            ("system", "Count."), ("user", "First"), ("assistant", "one"), ("user", "Second"),
            ("assistant", "two"), ("user", "Third"), ("assistant", "three"),
        ], [],
    ),
    "LLaMA-Factory's ShareGPT": (
        {
            "conversations": [
                {"from": "human", "value": ASKED[1]},
                {"from": "function_call", "value": '{"name": "get_weather", "arguments": {"city": "Oslo"}}'},
                {"from": "observation", "value": '{"celsius": 3}'},
                {"from": "gpt", "value": "3 degrees."},
            ],
            "system": "Be brief.", "tools": json.dumps([WEATHER]),
        },
        [
            ("system", "Be brief."), ASKED, ("assistant", CALL), ("tool", '{"celsius": 3}'),
            ("assistant", "3 degrees."),
        ], [],
    ),
    "SQuAD": (
        {
            "id": "5733", "title": "Foxes", "context": "A fox sleeps.", "question": "Who sleeps?",
            "answers": {"text": ["A fox", "fox", "A fox"], "answer_start": [0, 2, 0]},
        },
        [("user", "Who sleeps?\nA fox sleeps."), ("assistant", "A fox")], ["title"],
    ),
    "BoolQ": (
        {"question": "does a fox sleep", "answer": True, "passage": "A fox sleeps."},
        [("user", "does a fox sleep\nA fox sleeps."), ("assistant", "yes")], [],
    ),
    "KTO of axolotl's, whose completion is the whole conversation": (
        {"prompt": "q", "completion": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "label": True},
        [("user", "q"), ("assistant", "a")], [],
    ),
    "a completion that is the whole conversation, with its system turn": (
        {
            "prompt": "q",
            "response": [
                {"role": "system", "content": "S"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"},
            ],
        },
        [("system", "S"), ("user", "q"), ("assistant", "a")], [],
    ),
    "citations of a part": (
        {
            "messages": [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": [{"type": "text", "text": "a", "citations": [{"cited_text": "z"}]}]},
            ]
        },
        [("user", "q"), ("assistant", "a")], ["messages[].content[].citations"],
    ),
    "MMLU": (
        {"question": "Which is even?", "subject": "numbers", "choices": ["1", "3", "4", "5"], "answer": 2},
        [("user", "Which is even?\nA. 1\nB. 3\nC. 4\nD. 5"), ("assistant", "C. 4")], ["subject"],
    ),
    "MMLU whose choices are numbers too": (
        {"question": "2 + 0?", "subject": "numbers", "choices": ["8", "2", "24", "120"], "answer": 1},
        [("user", "2 + 0?\nA. 8\nB. 2\nC. 24\nD. 120"), ("assistant", "B. 2")], ["subject"],
    ),
    "ARC": (
        {
            "id": "Mercury_1", "question": "Which is even?", "answerKey": "2",
            "choices": {"text": ["one", "two"], "label": ["1", "2"]},
        },
        [("user", "Which is even?\n1. one\n2. two"), ("assistant", "2. two")], [],
    ),
    "OpenBookQA": (
        {
            "id": "7-980", "question_stem": "Which is even?", "answerKey": "B",
            "choices": {"text": ["one", "two"], "label": ["A", "B"]},
        },
        [("user", "Which is even?\nA. one\nB. two"), ("assistant", "B. two")], [],
    ),
    "RACE": (
        {
            "example_id": "high1.txt", "article": "A fox sleeps.", "question": "Who sleeps?",
            "options": ["a cow", "a fox"], "answer": "B",
        },
        [("user", "Who sleeps?\nA fox sleeps.\nA. a cow\nB. a fox"), ("assistant", "B. a fox")], [],
    ),
    "MedQA": (
        {
            "question": "Which is even?", "answer": "two", "options": {"A": "one", "B": "two"},
            "answer_idx": "B", "meta_info": "step1",
        },
        [("user", "Which is even?\nA. one\nB. two"), ("assistant", "B. two")], ["meta_info"],
    ),
    "AQuA-RAT": (
        {"question": "1 + 1?", "options": ["A)1", "B)2"], "rationale": "One and one.", "correct": "B"},
        [("user", "1 + 1?\nA. 1\nB. 2"), ("assistant", "B. 2")], ["rationale"],
    ),
    "MMBench": (
        {
            "index": 1, "question": "Which is even?", "hint": "Count.", "A": "one", "B": "two", "answer": "B",
            "category": "c",
        },
        [("user", "Which is even?\nCount.\nA. one\nB. two"), ("assistant", "B. two")], ["category"],
    ),
    "an answer as turns": (
        {"question": "Hi", "answer": [{"role": "assistant", "content": "Hello!"}]},
        [("user", "Hi"), ("assistant", "Hello!")], [],
    ),
    "HH-RLHF as a prompt": (
        {
            "prompt": "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: How are you?\n\nAssistant:",
            "response": " Fine.",
        },
        [("user", "Hi"), ("assistant", "Hello!"), ("user", "How are you?"), ("assistant", "Fine.")], [],
    ),
    "ms-swift with rejected": (
        {
            "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}],
            "rejected_response": "No.",
        },
        [("user", "Hi"), ("assistant", "Hello!")], ["rejected_response"],
    ),
    "OpenAI": (
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi", "name": "Ada"},
                {"role": "assistant", "content": "Hello!", "refusal": None},
            ],
            "parallel_tool_calls": False,
        },
        [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!")],
        ["parallel_tool_calls", "messages[].name"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_rows_become_these_turns_and_the_rest_is_named(name: str) -> None:
    row, turns, unread = PUBLISHED[name]
    assert read(row) == (turns, unread)


WITH_CALLS: dict[str, dict[str, Any]] = {
    "OpenAI's older shape": {
        "messages": [
            {"role": "user", "content": ASKED[1]},
            {
                "role": "assistant", "content": None,
                "function_call": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
            },
        ],
        "functions": [WEATHER],
    },
    "Anthropic": {
        "messages": [
            {"role": "user", "content": ASKED[1]},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "a", "name": "get_weather", "input": {"city": "Oslo"}},
                ],
            },
        ],
        "tools": [{"name": "get_weather", "description": "Weather of a city", "input_schema": CITY}],
    },
    "Glaive v2": {
        "system": "SYSTEM: You are a helpful assistant with access to the following functions. "
        "Use them if required -\n"
        + json.dumps(WEATHER, indent=4) + "\n",
        "chat": f"USER: {ASKED[1]}\n\n\nASSISTANT: <functioncall> "
        '{"name": "get_weather", "arguments": \'{"city": "Oslo"}\'} <|endoftext|>\n\n\n',
    },
    "ToolACE": {
        "system": "Here is a list of functions in JSON format that you can invoke:\n"
        + json.dumps([WEATHER | {"parameters": CITY | {"type": "dict"}}])
        + ".\nShould you decide to return the function call(s), "
        "put them as [func1(params_name=params_value)].",
        "conversations": [
            {"from": "user", "value": ASKED[1]}, {"from": "assistant", "value": '[get_weather(city="Oslo")]'},
        ],
    },
    "xlam": {
        "id": 3, "query": ASKED[1], "answers": '[{"name": "get_weather", "arguments": {"city": "Oslo"}}]',
        "tools": '[{"name": "get_weather", "description": "Weather of a city", '
        '"parameters": {"city": {"type": "str"}}}]',
    },
    "Hermes": {
        "id": "1", "category": "", "task": "",
        "conversations": [
            {
                "from": "system",
                "value": f"Signatures are within <tools></tools> tags: <tools> {[WEATHER]} </tools>",
            },
            {"from": "human", "value": ASKED[1]},
            {
                "from": "gpt",
                "value": "<tool_call>\n{'arguments': {'city': 'Oslo'}, 'name': 'get_weather'}\n</tool_call>",
            },
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "capability",
    [tools, cot, instruct, reasoning, vision_qa],
    ids=["tools", "cot", "instruct", "reasoning", "vision-qa"],
)
@pytest.mark.parametrize("name", WITH_CALLS)
def test_calls_are_taught_with_their_functions_by_every_capability(name: str, capability: Any) -> None:
    turns, unread = read(WITH_CALLS[name], capability.read)
    assert turns[1:] == [ASKED, ("assistant", CALL)] and unread == []
    assert turns[0][0] == "system" and tools_within(turns[0][1]) == [WEATHER]


def test_thinking_shows_functions_too() -> None:
    row = WITH_CALLS["OpenAI's older shape"]
    said = {"role": "assistant", "content": "<think>\nOslo.\n</think>\n" + CALL}
    turns, _ = read(row | {"messages": [row["messages"][0], said]}, thinking.read)
    assert tools_within(turns[0][1]) == [WEATHER] and turns[2] == ("assistant", said["content"])


@pytest.mark.parametrize("capability", [tools, cot, instruct], ids=["tools", "cot", "instruct"])
def test_calls_of_functions_that_no_text_names_are_refused(capability: Any) -> None:
    row = {"messages": WITH_CALLS["OpenAI's older shape"]["messages"]}
    with pytest.raises(RowError, match="turn 2 calls 'get_weather', and the row shows no functions"):
        capability.read(row)
    told = {"role": "system", "content": "You may call get_weather(city)."}
    assert capability.read({"messages": [told, *row["messages"]]})["messages"][-1]["content"] == CALL


def test_results_in_anthropics_turns_of_the_user_are_results() -> None:
    row = WITH_CALLS["Anthropic"]
    answered = [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "3"}]}
            ],
        },
        {"role": "assistant", "content": "3 degrees."},
    ]
    turns, unread = read(row | {"messages": [*row["messages"], *answered]})
    assert turns[2:] == [("tool", "3"), ("assistant", "3 degrees.")] and unread == []


def test_parameters_under_a_name_that_nobody_knows_are_refused() -> None:
    row = WITH_CALLS["Anthropic"] | {"tools": [{"name": "get_weather", "signature": CITY}]}
    with pytest.raises(RowError, match="stand under 'signature'; call that 'parameters'"):
        tools.read(row)


def test_nulls_that_arrow_filled_in_are_no_arguments(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    def row(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        parameters = {"type": "object", "properties": {key: {"type": "string"} for key in arguments}}
        call = {"type": "function", "function": {"name": name, "arguments": arguments}}
        return {
            "messages": [
                {"role": "user", "content": name},
                {"role": "assistant", "content": None, "tool_calls": [call]},
            ],
            "tools": [{"name": name, "parameters": parameters}],
        }

    data = [row("get_weather", {"city": "Oslo"}), row("play", {"title": "Changes"})]
    parquet.write_table(pyarrow.Table.from_pylist(data), tmp_path / "calls.parquet")
    source = Source(path=str(tmp_path / "calls.parquet"))
    read_back = [tools.read(one) for _, one in rows(source, tmp_path, 0, 0, False) if isinstance(one, dict)]
    assert [sample["calls"] for sample in read_back] == [
        [{"name": "get_weather", "arguments": {"city": "Oslo"}}],
        [{"name": "play", "arguments": {"title": "Changes"}}],
    ]
    assert all("null" not in message["content"] for sample in read_back for message in sample["messages"])


def test_a_null_that_the_function_takes_stays() -> None:
    function = {
        "name": "f",
        "parameters": {
            "type": "object",
            "required": ["a"],
            "properties": {
                "a": {"type": "string"},
                "b": {"type": ["string", "null"]},
                "c": {"type": "string"},
                "d": {"type": "object", "properties": {"e": {"type": "string"}}},
            },
        },
    }
    given = {"a": None, "b": None, "c": None, "d": {"e": "x", "z": None}, "other": None}
    said = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": given}}]}
    sample = tools.read({"messages": [{"role": "user", "content": "q"}, said], "tools": [function]})
    assert sample["calls"] == [{"name": "f", "arguments": {"a": None, "b": None, "d": {"e": "x"}}}]


FORMS = {
    "Glaive": '<functioncall> {"name": "w", "arguments": \'{"c": "it\'s"}\'}',
    "Glaive, closed": '<functioncall> {"name": "w", "arguments": {"c": "it\'s"}} </functioncall>',
    "ToolACE": '[w(c="it\'s")]',
    "Llama, tagged": '<|python_tag|>{"name": "w", "parameters": {"c": "it\'s"}}<|eom_id|>',
    "Llama, in tags": '<function=w>{"c": "it\'s"}</function>',
    "Llama, bare": '{"name": "w", "parameters": {"c": "it\'s"}}',
    "Mistral": '[TOOL_CALLS] [{"name": "w", "arguments": {"c": "it\'s"}}]</s>',
    "Mistral, newer": '[TOOL_CALLS]w[ARGS]{"c": "it\'s"}',
    "Phi": '<|tool_call|>[{"name": "w", "arguments": {"c": "it\'s"}}]<|/tool_call|>',
    "Nemotron": '<TOOLCALL>[{"name": "w", "arguments": {"c": "it\'s"}}]</TOOLCALL>',
    "LFM2": '<|tool_call_start|>[w(c="it\'s")]<|tool_call_end|>',
    "DeepSeek": (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>w\n```json\n"
        '{"c": "it\'s"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
    ),
    "DeepSeek, newer": (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>w<｜tool▁sep｜>"
        '{"c": "it\'s"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
    ),
    "between marks of code": '```json\n{"name": "w", "arguments": {"c": "it\'s"}}\n```',
    "Llama's own functions": '<|python_tag|>w.call(c="it\'s")',
    "bare JSON": '[{"type": "function", "function": {"name": "w", "arguments": "{\\"c\\": \\"it\'s\\"}"}}]',
}
CALLS_W = [{"name": "w", "arguments": {"c": "it's"}}]


@pytest.mark.parametrize("form", FORMS)
def test_calls_in_the_forms_of_other_models_are_learned_and_probed_as_calls(form: str) -> None:
    text = FORMS[form]
    assert parse_calls(text, may_be_bare=True) == CALLS_W
    row = {
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}],
        "tools": [{"name": "w", "parameters": {"type": "object", "properties": {"c": {"type": "string"}}}}],
    }
    sample = tools.read(row)
    assert sample["calls"] == CALLS_W
    assert (
        sample["messages"][-1]["content"]
        == '<tool_call>\n{"name":"w","arguments":{"c":"it\'s"}}\n</tool_call>'
    )
    assert tools.score(sample, text).correct


def test_several_calls_in_python_with_names_of_several_words() -> None:
    text = '[Market Trends API(trend_type="A, (B)", n=2, on=True, of=[1, {"x": null}]), w()]'
    assert parse_calls(text.replace("null", "None"), may_be_bare=True) == [
        {
            "name": "Market Trends API",
            "arguments": {"trend_type": "A, (B)", "n": 2, "on": True, "of": [1, {"x": None}]},
        },
        {"name": "w", "arguments": {}},
    ]
    assert parse_calls(
        '{"name": "w", "parameters": {"c": 1}}; {"name": "v", "parameters": {}}', may_be_bare=True
    ) == [
        {"name": "w", "arguments": {"c": 1}},
        {"name": "v", "arguments": {}},
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ada", "age": 3}',
        "[1, 2]",
        "[see](w)",
        '{"name": "w", "parameters": {}, "description": "a function"}',
        "{",
    ],
)
def test_json_that_makes_no_call_is_none(text: str) -> None:
    assert parse_calls(text, may_be_bare=True) == []
    row = {
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}],
        "tools": [WEATHER],
    }
    assert tools.read(row)["messages"][-1]["content"] == text


def test_a_list_of_calls_is_text_where_no_functions_are_offered() -> None:
    assert parse_calls('[w(c="x")]') == []
    assert read({"prompt": "Write a call.", "completion": '[w(c="x")]'}, cot.read)[0][-1] == (
        "assistant",
        '[w(c="x")]',
    )


@pytest.mark.parametrize(
    "text", ['[w("x")]', "[w(c=)]", "<functioncall> soon", "[TOOL_CALLS] none", '[w(c="x"]), v()]']
)
def test_broken_calls_of_other_forms_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_calls(text, may_be_bare=True)


OTHER_FORMS = {
    "ReAct": 'Thought: hm\nAction: w\nAction Input: {"c": "x"}',
    "Anthropic's XML": (
        '<function_calls>\n<invoke name="w">\n<parameter name="c">x</parameter>\n</invoke>\n</function_calls>'
    ),
    "Kimi": (
        '<|tool_calls_section_begin|><|tool_call_begin|>functions.w:0<|tool_call_argument_begin|>{"c": "x"}'
    ),
    "GPT-OSS": '<|channel|>commentary to=functions.w<|message|>{"c": "x"}<|call|>',
    "Gemma": '```tool_code\nw(c="x")\n```',
    "Qwen3-Coder": "<tool_call>\n<function=w>\n<parameter=c>\nx\n</parameter>\n</function>\n</tool_call>",
}


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_calls_in_forms_that_are_not_read_are_refused_with_their_turn(form: str) -> None:
    row = {
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": OTHER_FORMS[form]}],
        "tools": [{"name": "w", "parameters": {"type": "object", "properties": {"c": {"type": "string"}}}}],
    }
    with pytest.raises(RowError, match="turn 2: "):
        tools.read(row)


IN_WORDS = {
    "JSON behind words": 'Sure: {"name":"w","arguments":{"c":"x"}}',
    "JSON between marks of code": 'Sure:\n```json\n{"name":"w","arguments":{"c":"x"}}\n```',
    "Command R": 'Action: ```json\n[{"tool_name":"w","parameters":{"c":"x"}}]\n```',
    "XML": '<tool_use><name>w</name><arguments>{"c":"x"}</arguments></tool_use>',
}


@pytest.mark.parametrize("form", IN_WORDS)
def test_calls_among_words_are_not_taught_as_words(form: str) -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": IN_WORDS[form]}]
    with pytest.raises(RowError, match="write the call as a turn's 'tool_calls'"):
        tools.read({"messages": turns, "tools": [WEATHER | {"name": "w"}]})


def test_json_among_words_that_names_no_function_is_words() -> None:
    said = 'Sure: {"name":"Ada"}'
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": said}]
    assert tools.read({"messages": turns, "tools": [WEATHER]})["messages"][-1]["content"] == said


@pytest.mark.parametrize("key", ["args", "kwargs"])
def test_arguments_of_langchains_calls_are_read(key: str) -> None:
    call = {"name": "get_weather", key: {"city": "Oslo"}, "id": "1", "type": "tool_call"}
    said = {"role": "assistant", "content": "", "tool_calls": [call]}
    sample = tools.read({"messages": [{"role": "user", "content": "q"}, said], "tools": [WEATHER]})
    assert sample["messages"][-1]["content"] == CALL


def test_arguments_under_a_name_that_nobody_knows_are_refused() -> None:
    said = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"name": "get_weather", "given": {"city": "Oslo"}}],
    }
    with pytest.raises(
        RowError, match="the arguments of 'get_weather' stand under 'given'; call that 'arguments'"
    ):
        tools.read({"messages": [{"role": "user", "content": "q"}, said], "tools": [WEATHER]})


def test_a_parameter_may_say_of_itself_whether_it_is_needed() -> None:
    described = {
        "a": {"type": "str", "required": True, "default": ""},
        "b": {"type": "int", "required": False},
    }
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "no"}]
    for parameters in (described, {"type": "object", "properties": described}):
        (tool,) = tools.read({"messages": turns, "tools": [{"name": "w", "parameters": parameters}]})["tools"]
        assert (
            tool["parameters"]["required"] == ["a"]
            and "required" not in tool["parameters"]["properties"]["b"]
        )


def test_what_a_function_says_beside_its_parameters_is_named() -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "no"}]
    row = {
        "messages": turns,
        "tools": [{"type": "function", "function": WEATHER | {"returns": {"type": "string"}}}],
    }
    assert read(row, tools.read)[1] == ["tools[].returns"]


@pytest.mark.parametrize("text", ["<think>x</think><answer>5</answer>", "two steps <answer> 5 </answer>"])
def test_the_tagged_answer_behind_steps_is_what_is_compared_with(text: str) -> None:
    sample = read_prompt(
        {"problem": "q", "ground_truth": text}, cot.read, lambda found: bool(found.get("answer"))
    )
    assert sample["answer"] == "5"


@pytest.mark.parametrize("capability", [tools, instruct], ids=["tools", "instruct"])
def test_calls_of_functions_that_are_not_among_the_rows_are_refused(capability: Any) -> None:
    row = {
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": '[v(c="x")]'}],
        "tools": [{"name": "w", "parameters": {"type": "object", "properties": {"c": {"type": "string"}}}}],
    }
    with pytest.raises(RowError, match=r"turn 2 calls 'v', which is none of its functions \(w\)"):
        capability.read(row)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "numbers of which one is another's place": (
        {"question": "q", "choices": [1, 2, 0], "answer": 1}, "the answer is 1, which is one of the choices and the number of another",
    ),
    "a completion that is another conversation": (
        {"prompt": "q", "completion": [{"role": "user", "content": "r"}, {"role": "assistant", "content": "a"}]},
        "'completion' is a conversation that does not begin with 'prompt'",
    ),
    "parts as a text": (
        {"messages": [{"role": "user", "content": '[{"type": "text", "text": "q"}]'}, {"role": "assistant", "content": "a"}]},
        "turn 1: the content is a text that holds a list of parts",
    ),
    "SQuAD 2 without an answer": (
        {"question": "Who?", "context": "A fox.", "answers": {"text": [], "answer_start": []}},
        "'answers' names no answer",
    ),
    "a key of no choice": (
        {"question": "q", "choices": ["a", "b"], "answer": "F"}, "none of the choices: 'F'",
    ),
    "a number of no choice": (
        {"question": "q", "choices": ["a", "b"], "answer": 2}, "choice number 2, from 0, of 2",
    ),
    "two right ones": (
        {"question": "q", "choices": ["a", "b"], "answer": "A", "answerKey": "B"},
        "name different choices as the right one",
    ),
    "choices that are none": (
        {"question": "q", "choices": [["a"], ["b"]], "answer": 0}, "a choice is a text",
    ),
    "a context that is no text": (
        {"question": "q", "context": {"a": 1}, "answer": "b"}, "'context': the content is an object",
    ),
    "a prompt within the answer": (
        {"prompt": "Human: Hi\n\nAssistant: Well,", "completion": "hello"},
        "ends within the assistant's turn",
    ),
    "a template of its own": (
        {"prompt": "q", "completion": "a", "chat_template_kwargs": {"enable_thinking": False}},
        r"ignore: \[chat_template_kwargs\]",
    ),
    "boxes in pixels": (
        {
            "prompt": "Find <ref-object>", "completion": "<bbox>",
            "objects": {"ref": ["a"], "bbox": [[1, 2, 3, 4]]},
        },
        "boxes are in pixels",
    ),
    "more marks than boxes": (
        {
            "prompt": "Find it", "completion": "<bbox>",
            "objects": {"ref": [], "bbox": []  , "bbox_type": "norm1", "x": 1},
        },
        "1 <bbox>, and its objects 0 ref and 0 bbox",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_as_it_is_meant_is_refused(name: str) -> None:
    row, reason = REFUSED[name]
    with pytest.raises(RowError, match=reason):
        as_messages(row)


def test_boxes_of_ms_swift_stand_in_the_text() -> None:
    row = {
        "messages": [
            {"role": "user", "content": "<image>Find <ref-object>."},
            {"role": "assistant", "content": "It is at <bbox>."},
        ],
        "images": ["a.png"],
        "objects": {"ref": ["the fox"], "bbox": [[0.1, 0.25, 0.5, 1]], "bbox_type": "norm1"},
    }
    turns, unread = read(row, vision_qa.read)
    assert (
        turns == [("user", "<|image|>Find the fox."), ("assistant", "It is at [100, 250, 500, 1000].")]
        and unread == []
    )
    assert (
        read(
            row | {"objects": row["objects"] | {"bbox": [[100, 250, 500, 1000]], "bbox_type": "norm1000"}},
            vision_qa.read,
        )[0]
        == turns
    )


def test_scienceqa_with_its_picture() -> None:
    row = {
        "image": {"bytes": b"x", "path": "a.png"},
        "question": "Which is red?",
        "choices": ["the sky", "a rose"],
        "answer": 1,
        "hint": "Look.",
        "task": "closed choice",
        "lecture": "Roses ...",
        "solution": "",
    }
    columns = Columns.of(row)
    sample = vision_qa.read(columns)
    assert sample == {
        "messages": [
            {"role": "user", "content": "<|image|>\nWhich is red?\nLook.\nA. the sky\nB. a rose"},
            {"role": "assistant", "content": "B. a rose"},
        ],
        "media": [{"kind": "image", "bytes": b"x"}],
        "answer": "B. a rose",
    }
    assert columns.unread(sample) == ["task", "lecture"]


def test_prompt_and_completion_may_hold_parts_with_media() -> None:
    row = {
        "prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Who?"}]}],
        "completion": [{"role": "assistant", "content": [{"type": "text", "text": "a fox"}]}],
        "images": ["a.png"],
    }
    columns = Columns.of(row)
    sample = vision_qa.read(columns)
    assert sample["messages"] == [
        {"role": "user", "content": "<|image|>\nWho?"},
        {"role": "assistant", "content": "a fox"},
    ]
    assert sample["media"] == [{"kind": "image", "file": "a.png"}] and columns.unread(sample) == []


SYSTEM, HISTORY = {"role": "system", "content": "S"}, [["first", "one"]]
PAIR_TURNS = [
    ("system", "S"),
    ("user", "first"),
    ("assistant", "one"),
    ("user", "p\nctx"),
    ("assistant", "c"),
]


def test_pairs_keep_system_history_and_context() -> None:
    row = {
        "system_prompt": "S",
        "history": HISTORY,
        "prompt": "p",
        "context": "ctx",
        "chosen": "c",
        "rejected": "r",
        "score": 1,
    }
    columns = Columns.of(row)
    sample = read_pair(columns, as_messages)
    assert [(m["role"], m["content"]) for m in sample["messages"]] == PAIR_TURNS and sample["rejected"] == "r"
    assert columns.unread(sample) == ["score"]


def test_ultrafeedback_says_nothing_twice_and_names_its_scores() -> None:
    turns = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "c"}]
    row = {
        "prompt": "p",
        "prompt_id": "x",
        "chosen": turns,
        "rejected": [turns[0], {"role": "assistant", "content": "r"}],
        "messages": turns,
        "score_chosen": 8.0,
        "score_rejected": 4.0,
    }
    columns = Columns.of(row)
    assert columns.unread(read_pair(columns, as_messages)) == ["score_chosen", "score_rejected"]


def test_both_answers_of_a_pair_have_their_calls_in_our_form() -> None:
    row = {
        "prompt": "q",
        "chosen": '[get_weather(city="Oslo")]',
        "rejected": '[get_weather(city="Rome")]',
        "tools": [WEATHER],
    }
    sample = read_pair(row, tools.read)
    assert sample["messages"][-1]["content"] == CALL and sample["rejected"] == CALL.replace("Oslo", "Rome")


def test_prompts_with_choices_are_answered_by_a_label() -> None:
    row = {"question": "Which?", "choices": ["red", "blue"], "answer": 1}
    sample: Sample = read_prompt(row, cot.read, lambda found: bool(found.get("answer")))
    assert sample["answer"] == "B" and sample["messages"][0]["content"] == "Which?\nA. red\nB. blue"


@pytest.mark.parametrize("capability", [cot, reasoning], ids=["cot", "reasoning"])
def test_of_a_question_with_its_work_and_its_answer_the_work_is_learned(capability: Any) -> None:
    row = {"question": "2 + 3?", "solution": "2 + 3 = 5, so \\boxed{5}.", "answer": "5"}  # LIMO
    assert read(row, capability.read) == ([("user", "2 + 3?"), ("assistant", row["solution"])], ["answer"])
    assert capability.read(row)["answer"] == "5"
    turned = {"question": "2 + 3?", "answer": "2 + 3 = 5, so \\boxed{5}.", "solution": "5"}
    assert read(turned, capability.read)[0][-1] == ("assistant", turned["answer"])


def test_a_solution_that_reasoning_uses_nothing_of_is_named() -> None:
    turns = [{"role": "user", "content": "2 + 3?"}, {"role": "assistant", "content": "5"}]
    assert read({"messages": turns, "solution": "Two and three."}, reasoning.read)[1] == ["solution"]


@pytest.mark.parametrize(
    ("column", "written", "said"),
    [
        ("answers", "{'text': ['A fox', 'fox', 'A fox'], 'answer_start': [0, 2, 0]}", "A fox"),
        ("answers", '["A fox", "fox", "A fox"]', "A fox"),
        ("answers", "[{'answer': 'a fox', 'answer_id': 1}]", "a fox"),
        ("answer", "['a fox', 'fox']", "a fox"),
        ("answer", '["a", "b"]', '["a", "b"]'),  # JSON that is asked for
    ],
)
def test_what_several_people_said_may_stand_in_a_text_as_csv_files_have_it(
    column: str, written: str, said: str
) -> None:
    assert read({"question": "Who?", column: written})[0][-1] == ("assistant", said)


def test_numpys_arrays_as_a_text_are_refused() -> None:
    row = {
        "question": "Who?",
        "answers": "{'text': array(['A fox'], dtype=object), 'answer_start': array([0])}",
    }
    with pytest.raises(RowError, match="'answers' is neither JSON nor a Python literal"):
        as_messages(row)


def test_rounds_of_questions_as_a_text_are_refused() -> None:
    with pytest.raises(RowError, match="'prompt' is a text that holds a list of texts"):
        as_messages({"prompt": '["first", "second"]', "response": '["one", "two"]'})


def test_answers_of_a_pair_may_be_turns_as_texts() -> None:
    row = {
        "prompt": "q",
        "chosen": '{"role": "assistant", "content": "c"}',
        "rejected": "{'from': 'gpt', 'value': 'r'}",
    }
    sample = read_pair(row, as_messages)
    assert sample["messages"][-1]["content"] == "c" and sample["rejected"] == "r"


def test_labels_that_are_numbers_are_what_a_number_names() -> None:
    row = {"question": "q", "options": {"1": "x", "2": "y"}, "answer": 1}
    assert read(row)[0][-1] == ("assistant", "1. x")
    assert read({"question": "q", "options": ["x", "y", "z"], "answer": '["A", "C"]'})[0][-1] == (
        "assistant",
        "A. x\nC. z",
    )


def test_nulls_of_arrows_are_no_part_of_a_function() -> None:
    described = {
        "anyOf": [{"type": "string", "format": None}, {"type": "null", "format": None}],
        "enum": ["a", None],
    }
    function = {
        "name": "w",
        "parameters": {
            "type": "object",
            "properties": {"c": described},
            "$defs": {"d": {"type": "string", "e": None}},
        },
    }
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "no"}]
    (tool,) = tools.read({"messages": turns, "tools": [function]})["tools"]
    assert tool["parameters"]["properties"]["c"] == {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "enum": ["a", None],
    }
    assert tool["parameters"]["$defs"] == {"d": {"type": "string"}}


@pytest.mark.parametrize(
    ("label", "said"),
    [([0, 1, 0], "B. y"), ([1, 0, 1], "A. x\nC. z"), ([False, False, True], "C. z"), ([0, 2], "A. x\nC. z")],
)
def test_a_list_says_of_each_choice_whether_it_is_right_or_which_are(label: list[int], said: str) -> None:
    assert read({"question": "q", "choices": ["x", "y", "z"], "label": label})[0][-1] == ("assistant", said)


@pytest.mark.parametrize("number", [2, "2"])
@pytest.mark.parametrize("key", ["label", "answer_idx", "correct_answer_id"])
def test_answers_of_which_one_is_right_are_not_what_several_people_said(key: str, number: Any) -> None:
    with pytest.raises(RowError, match=f"'{key}' says which of its 'answers' is right"):
        as_messages({"question": "q", "answers": ["w", "x", "y"], key: number})


def test_results_that_name_their_functions_alone_stand_in_the_order_of_the_calls() -> None:
    calls = [
        {"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}},
        {"function": {"name": "add", "arguments": {}}},
    ]
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "name": "add", "content": "3"},
        {"role": "tool", "name": "get_weather", "content": "warm"},
        {"role": "assistant", "content": "a"},
    ]
    said = read({"messages": turns, "tools": [WEATHER, WEATHER | {"name": "add"}]})[0]
    assert said[2:4] == [("tool", "warm"), ("tool", "3")]


def test_the_final_answer_is_compared_with_and_not_the_work() -> None:
    row = {"problem": "q", "solution": "long work", "ground_truth": "5"}
    assert read_prompt(row, cot.read, lambda found: bool(found.get("answer")))["answer"] == "5"


def test_verls_answer_may_be_a_list_as_a_text() -> None:
    row = {
        "prompt": [{"role": "user", "content": "q"}],
        "reward_model": {"ground_truth": '["5"]', "style": "rule"},
    }
    assert read_prompt(row, cot.read, lambda found: bool(found.get("answer")))["answer"] == "5"


def test_a_question_about_a_medium_that_is_not_there_says_so() -> None:
    assert read({"video_id": "abc", "question": "q", "answer": "a"}, vision_qa.read)[1] == ["video_id"]
    with pytest.raises(RowError, match="'audio_id' holds a medium"):
        vision_qa.read({"audio_id": "a.wav", "question": "q", "answer": "a"})


@pytest.mark.parametrize("answers", [["a", "b"], {"text": ["a", "b"], "answer_start": [0, 1]}])
def test_other_answers_that_are_as_frequent_are_named(answers: Any) -> None:
    assert read({"question": "q", "answers": answers}) == (
        [("user", "q"), ("assistant", "a")],
        ["answers[1:]"],
    )
