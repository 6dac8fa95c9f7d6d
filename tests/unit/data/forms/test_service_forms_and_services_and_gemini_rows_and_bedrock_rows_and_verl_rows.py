"""Rows of Gemini, Bedrock and verl are read as these mean them, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from manus.capabilities import cot, instruct, tools, vision_qa
from manus.data.forms.columns import Columns
from manus.data.forms.messages import as_messages
from manus.data.forms.prompts import read_prompt
from manus.data.forms.tool_schemas import tools_within
from manus.data.sample import RowError

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "Weather of a city", "parameters": CITY}
CALL = '<tool_call>\n{"name":"get_weather","arguments":{"city":"Oslo"}}\n</tool_call>'
Turns = list[tuple[str, str]]


def read(row: dict[str, Any], reader: Any = as_messages) -> tuple[Turns, list[str]]:
    """Return the turns of a row, and the columns that nothing reads."""
    columns = Columns.of(row)
    sample = reader(columns)
    return [(message["role"], message["content"]) for message in sample["messages"]], columns.unread(sample)


def gemini(*turns: tuple[str, list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": role, "parts": parts} for role, parts in turns], **more}


ASKED = ("user", [{"text": "How warm is it in Oslo?"}])
CALLED = ("model", [{"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}}])
TOLD = ("function", [{"functionResponse": {"name": "get_weather", "response": {"celsius": 3}}}])
SAID = ("model", [{"text": "3 "}, {"text": "degrees.", "functionCall": None}])


@pytest.mark.parametrize("capability", [tools, instruct, vision_qa], ids=["tools", "instruct", "vision-qa"])
def test_gemini_with_functions(capability: Any) -> None:
    declared = {
        **WEATHER,
        "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
    }
    row = gemini(
        ASKED,
        CALLED,
        TOLD,
        SAID,
        tools=[{"functionDeclarations": [declared], "googleSearch": {"a": 1}}],
        systemInstruction={"role": "system", "parts": [{"text": "Be brief."}]},
        generationConfig={"temperature": 1},
    )
    turns, unread = read(row, capability.read)
    assert turns[0][0] == "system" and turns[0][1].startswith("Be brief.\n\n")
    assert tools_within(turns[0][1]) == [WEATHER]
    assert turns[1:] == [
        ("user", "How warm is it in Oslo?"),
        ("assistant", CALL),
        ("tool", '{"celsius":3}'),
        ("assistant", "3 degrees."),
    ]
    assert unread == ["generationConfig", "tools[].googleSearch"]


def test_gemini_with_thoughts_and_flags() -> None:
    row = gemini(ASKED, ("model", [{"text": "hm", "thought": True, "thoughtSignature": "x"}, {"text": "3"}]))
    assert read(row) == ([("user", "How warm is it in Oslo?"), ("assistant", "<think>\nhm\n</think>\n3")], [])
    row = gemini(ASKED, SAID, ASKED, SAID)
    row["contents"][1]["train"] = False
    assert [message.get("learn") for message in as_messages(row)["messages"]] == [None, False, None, None]


def test_gemini_with_media() -> None:
    inline = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    file = {"fileData": {"mimeType": "image/png", "fileUri": "b.png"}}
    sample = vision_qa.read(gemini(("user", [inline, {"text": "Same?"}, file]), SAID))
    assert sample["messages"][0]["content"] == "<|image|>\nSame?\n<|image|>"
    assert sample["media"] == [{"kind": "image", "bytes": b"hi"}, {"kind": "image", "file": "b.png"}]
    with pytest.raises(RowError, match="'image' is not text"):
        as_messages(gemini(("user", [inline, {"text": "Same?"}]), SAID))


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([{"executableCode": {"code": "1"}}], "contents 2: a part that is not known: {'executableCode'"),
        ([], "contents 2: a turn without parts"),
        (
            [{"inlineData": {"mimeType": "application/pdf", "data": "aGk="}}],
            "contents 2: a file that is no image, video or audio",
        ),
        ([*TOLD[1], {"text": "x"}], "contents 2: results of functions beside other parts"),
    ],
)
def test_parts_of_gemini_that_are_not_known_are_refused(parts: list[Any], why: str) -> None:
    with pytest.raises(RowError, match=why):
        as_messages(gemini(ASKED, ("model", parts)))


def bedrock(*turns: tuple[str, list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    messages = [{"role": role, "content": blocks} for role, blocks in turns]
    return {"schemaVersion": "bedrock-conversation-2024", "messages": messages, **more}


def use(number: str, city: str) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": number, "name": "get_weather", "input": {"city": city}}}


def result(number: str, **block: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": number, "content": [block], "status": "success"}}


def test_bedrock_with_functions_whose_results_stand_in_another_order() -> None:
    spec = {**{key: WEATHER[key] for key in ("name", "description")}, "inputSchema": {"json": CITY}}
    row = bedrock(
        ASKED,
        ("assistant", [use("1", "Oslo"), use("2", "Rome")]),
        ("user", [result("2", text="20"), result("1", json={"c": 3})]),
        ("assistant", [{"text": "3 and 20."}]),
        system=[{"text": "Be brief."}],
        toolConfig={"tools": [{"toolSpec": spec}], "toolChoice": {"auto": {"a": 1}}},
    )
    turns, unread = read(row, tools.read)
    assert turns[0][1].startswith("Be brief.\n\n") and tools_within(turns[0][1]) == [WEATHER]
    assert turns[2:] == [
        ("assistant", f"{CALL}\n{CALL.replace('Oslo', 'Rome')}"),
        ("tool", '{"c":3}'),
        ("tool", "20"),
        ("assistant", "3 and 20."),
    ]
    assert unread == ["toolConfig.toolChoice"]


def test_bedrock_with_pictures_and_thoughts() -> None:
    picture = {"image": {"format": "png", "source": {"bytes": "aGk="}}, "text": None}
    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "x"}}}
    row = bedrock(
        ("user", [{"text": "What?", "image": None}, picture]), ("assistant", [thought, {"text": "A fox."}])
    )
    del row["schemaVersion"]
    sample = vision_qa.read(row)
    assert [m["content"] for m in sample["messages"]] == ["What?\n<|image|>", "<think>\nhm\n</think>\nA fox."]
    assert sample["media"] == [{"kind": "image", "bytes": b"hi"}]
    document = {"document": {"name": "a", "source": {"bytes": "aGk="}}}
    with pytest.raises(RowError, match=r"turn 1: a block that is not read: \{'document'"):
        as_messages(bedrock(("user", [document, {"text": "What?"}]), ("assistant", [{"text": "x"}])))


def verl(**more: Any) -> dict[str, Any]:
    return {
        "data_source": "openai/gsm8k",
        "prompt": [{"role": "user", "content": "2 + 2?"}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "4"},
        "extra_info": {"split": "train", "index": 0, "answer": "two #### 4"},
        **more,
    }


def test_verl_asks_and_its_answer_is_compared_with() -> None:
    columns = Columns.of(verl())
    sample = read_prompt(columns, cot.read, cot.can_score)
    assert sample["messages"][:-1] == [{"role": "user", "content": "2 + 2?"}]
    assert (sample["answer"], sample["level"], columns.unread(sample)) == ("4", "openai/gsm8k", [])
    columns = Columns.of(verl(extra_info={"tools_kwargs": {"a": {"b": 1}}}, agent_name="tool_agent"))
    sample = read_prompt(columns, cot.read, cot.can_score)
    assert columns.unread(sample) == ["agent_name", "extra_info.tools_kwargs"]


def test_verl_is_not_imitated_and_several_answers_are_refused() -> None:
    with pytest.raises(
        RowError, match="has an answer to compare with, and none to imitate: grpo and ppo learn from it"
    ):
        cot.read(verl())
    with pytest.raises(RowError, match="reward_model has 2 right answers"):
        read_prompt(verl(reward_model={"ground_truth": ["4", "four"]}), cot.read, cot.can_score)
    assert read_prompt(verl(reward_model={"ground_truth": ["4"]}), cot.read, cot.can_score)["answer"] == "4"
