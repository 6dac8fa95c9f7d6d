"""Chats by the real client: streamed and at once, with functions, JSON, logprobs, and all that is refused."""

from __future__ import annotations

import json
import time
from typing import Any, get_type_hints

import httpx2
import pytest
from openai import APIStatusError, BadRequestError, NotFoundError, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from manus.serving.server.answering import Service
from manus.serving.server.chat_completions import NOT_BUILT, ChatRequest

ASKED: list[Any] = [{"role": "user", "content": "last of 3 8 5"}]
SAID = "The answer is \\boxed{5}."
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Adds.",
            "parameters": {
                "type": "object",
                "properties": {"deep": {"type": "boolean"}},
                "required": ["deep"],
                "additionalProperties": False,
            },
        },
    },
    {"type": "function", "function": {"name": "look"}},
]
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["cat", "dog"]}, "sure": {"type": "boolean"}},
    "required": ["kind", "sure"],
    "additionalProperties": False,
}


def ask(client: OpenAI, **how: Any) -> Any:
    return client.chat.completions.create(model="pico", messages=how.pop("messages", ASKED), **how)


def streamed(client: OpenAI, **how: Any) -> tuple[dict[int, str], list[Any]]:
    chunks = list(ask(client, stream=True, **how))
    texts: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    return texts, chunks


def test_an_answer_at_once(client: OpenAI) -> None:
    found: ChatCompletion = ask(client)
    (choice,) = found.choices
    assert (choice.message.content, choice.message.role, choice.finish_reason) == (SAID, "assistant", "stop")
    assert found.usage is not None and found.usage.completion_tokens > 5
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    ChatCompletion.model_validate(found.model_dump(), strict=True)


def test_a_stream_says_the_same_token_by_token(client: OpenAI) -> None:
    texts, chunks = streamed(client, n=2, stream_options={"include_usage": True})
    assert texts == {0: SAID, 1: SAID}
    assert sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in chunks) > 10
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage.completion_tokens == 2 * ask(client).usage.completion_tokens
    finishes = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert finishes == ["stop", "stop"] and len({chunk.id for chunk in chunks}) == 1
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)


@pytest.mark.parametrize("how", [{"max_tokens": 3}, {"max_completion_tokens": 3}])
def test_a_limit_of_tokens(client: OpenAI, how: dict[str, int]) -> None:
    (choice,) = ask(client, **how).choices
    assert choice.finish_reason == "length" and SAID.startswith(choice.message.content)
    assert ask(client, **how).usage.completion_tokens == 3


@pytest.mark.parametrize("stop", ["\\boxed", ["nowhere", " is"]])
def test_a_stop_cuts_the_answer_streamed_or_not(client: OpenAI, stop: Any) -> None:
    (choice,) = ask(client, stop=stop).choices
    wanted = SAID[: SAID.index(stop if isinstance(stop, str) else stop[1])]
    assert (choice.message.content, choice.finish_reason) == (wanted, "stop")
    assert streamed(client, stop=stop)[0] == {0: wanted}


def test_a_seed_repeats_an_answer_and_choices_differ(long_client: OpenAI) -> None:
    def texts(**how: Any) -> list[str]:
        return [
            choice.message.content
            for choice in ask(long_client, temperature=1.5, max_tokens=12, **how).choices
        ]

    first = texts(seed=3, n=3)
    assert first == texts(seed=3, n=3) and len(set(first)) == 3
    assert texts(seed=4, n=3) != first
    assert texts() != texts()
    assert streamed(long_client, temperature=1.5, max_tokens=12, seed=3)[0][0] == first[0]


def test_logprobs_are_those_of_the_words(client: OpenAI) -> None:
    (choice,) = ask(client, logprobs=True, top_logprobs=3).choices
    told = choice.logprobs.content
    assert b"".join(bytes(one.bytes) for one in told).decode() == SAID
    assert all(one.logprob <= 0 and len(one.top_logprobs) == 3 for one in told)
    assert all(one.top_logprobs[0].token == one.token for one in told)
    chunks = streamed(client, logprobs=True, top_logprobs=3)[1]
    again = [
        one for chunk in chunks if chunk.choices[0].logprobs for one in chunk.choices[0].logprobs.content
    ]
    assert [one.token for one in again] == [one.token for one in told]


def test_biases_and_penalties_change_the_answer(client: OpenAI, served: tuple[str, Service]) -> None:
    token = served[1].hosted.tokenizer("5", add_special_tokens=False)["input_ids"][0]
    assert "5" not in ask(client, logit_bias={str(token): -100}).choices[0].message.content
    assert ask(client, presence_penalty=2, frequency_penalty=2).choices[0].finish_reason in ("stop", "length")


def test_json_fits_its_schema_streamed_or_not(long_client: OpenAI) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "pet", "schema": SCHEMA, "strict": True}}
    (choice,) = ask(long_client, response_format=form, temperature=1.5, seed=1).choices
    found = json.loads(choice.message.content)
    assert (
        found["kind"] in ("cat", "dog") and isinstance(found["sure"], bool) and choice.finish_reason == "stop"
    )
    text = streamed(long_client, response_format=form, temperature=1.5, seed=1)[0][0]
    assert text == choice.message.content
    anything = (
        ask(long_client, response_format={"type": "json_object"}, max_tokens=5).choices[0].message.content
    )
    assert anything.startswith("{")


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "add"}}])
def test_a_call_that_must_be_made_is_made(long_client: OpenAI, choice: Any) -> None:
    how = {
        "tools": TOOLS[:1],
        "tool_choice": choice,
        "parallel_tool_calls": False,
        "temperature": 1.0,
        "seed": 5,
    }
    (found,) = ask(long_client, **how).choices
    (call,) = found.message.tool_calls
    assert call.function.name == "add" and isinstance(json.loads(call.function.arguments)["deep"], bool)
    assert found.finish_reason == "tool_calls" and found.message.content is None
    calls = [
        call for chunk in streamed(long_client, **how)[1] for call in chunk.choices[0].delta.tool_calls or []
    ]
    assert [(call.index, call.function.arguments) for call in calls] == [
        (0, found.message.tool_calls[0].function.arguments)
    ]


def test_calls_and_their_results_go_back_to_the_model(
    long_client: OpenAI, long_served: tuple[str, Service]
) -> None:
    called = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"deep": true}'}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Add."},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call_1", "content": "42"},
    ]
    hosted, seen = long_served[1].hosted, list[str]()
    put = hosted.asked

    def looking(*args: Any) -> Any:
        found = put(*args)
        seen.append(hosted.tokenizer.decode(found.ids))
        return found

    hosted.asked = looking  # type: ignore[method-assign]
    try:
        ask(long_client, messages=messages, tools=TOOLS, max_tokens=2)
        ask(long_client, messages=messages, tools=TOOLS, tool_choice="none", max_tokens=2)
    finally:
        hosted.asked = put  # type: ignore[method-assign]
    with_tools, without = seen
    assert "Be brief." in with_tools and '"name":"add","description":"Adds."' in with_tools
    assert (
        '<tool_call>\n{"name":"add","arguments":{"deep":true}}\n</tool_call>' in with_tools
        and "42" in with_tools
    )
    assert "Adds." not in without and "42" in without


def test_every_parameter_of_the_interface_is_read_or_refused_by_name() -> None:
    there = set(get_type_hints(CompletionCreateParamsStreaming))
    assert len(there) > 30
    assert there - set(ChatRequest.model_fields) == set(NOT_BUILT)


@pytest.mark.parametrize(
    ("how", "message", "param"),
    [
        ({"temprature": 1}, "did you mean 'temperature'", "temprature"),
        ({"functions": []}, "use 'tools'", "functions"),
        ({"audio": {}}, "answers here are text", "audio"),
        ({"temperature": 3}, "less than or equal to 2", "temperature"),
        ({"temperature": "hot"}, "valid number", "temperature"),
        ({"n": 100}, "up to 8", "n"),
        ({"n": 0}, "greater than or equal to 1", "n"),
        ({"messages": []}, "at least 1", "messages"),
        ({"messages": [{"role": "user"}]}, "Field required", "messages.0.user.content"),
        (
            {"messages": [{"role": "user", "content": "x", "mood": 1}]},
            "not permitted", "messages.0.user.mood",
        ),
        ({"messages": [{"role": "robot", "content": "x"}]}, "robot", "messages.0"),
        ({"tool_choice": "required"}, "only with tools", "tool_choice"),
        (
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "no"}}},
            "none of the tools", "tool_choice",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "x"}}}},
            "Invalid type", "response_format",
        ),
        ({"top_logprobs": 3}, "only with logprobs", "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "less than or equal to 20", "top_logprobs"),
        ({"stop": ""}, "none of them empty", "stop"),
        ({"logit_bias": {"x": 1}}, "no token", "logit_bias"),
        ({"stream_options": {"include_usage": True}}, "only with stream", "stream_options"),
        ({"store": True}, "keeps nothing", "store"),
        ({"messages": [{"role": "user", "content": "x" * 2000}]}, "the model reads 256", "messages"),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "data:,x"}}
            ]}]},
            "does not see", "messages.0.content.0",
        ),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
            ]}]},
            "does not hear", "messages.0.content.0",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_bad_request_is_refused_by_name(
    served: tuple[str, Service], how: dict[str, Any], message: str, param: str, is_streamed: bool
) -> None:
    body = {"model": "pico", "messages": ASKED, "stream": is_streamed, **how}
    if is_streamed and "stream_options" in how:
        body["stream_options"] = {"nothing": 1}
        message, param = "not permitted", "stream_options.nothing"
    answer = httpx2.post(f"{served[0]}/v1/chat/completions", json=body)
    error = answer.json()["error"]
    assert answer.status_code == 400 and message in error["message"] and error["param"] == param


def test_what_a_model_cannot_do_is_told_so(client: OpenAI) -> None:
    with pytest.raises(APIStatusError, match="answers here are text") as refused:
        ask(client, modalities=["text", "audio"])
    assert refused.value.status_code == 501
    with pytest.raises(NotFoundError, match="this server has 'pico'"):
        client.chat.completions.create(model="gpt-9", messages=ASKED)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"messages":', b"\xff", b'{"messages": "\\ud800"}', b"[" * 10**5]
)
def test_what_is_no_request_is_refused(served: tuple[str, Service], body: bytes) -> None:
    answer = httpx2.post(f"{served[0]}/v1/chat/completions", content=body)
    assert answer.status_code == 400 and "Traceback" not in answer.text


def test_who_leaves_frees_the_place(long_served: tuple[str, Service], long_client: OpenAI) -> None:
    service = long_served[1]
    endless: dict[str, Any] = {"max_tokens": 3000, "temperature": 1.5, "seed": 1}
    endless["logit_bias"] = {str(end): -100 for end in service.hosted.ends}
    stream = ask(long_client, stream=True, **endless)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    assert service.thread.taken == 1
    stream.close()
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{long_served[0]}/v1/chat/completions", json={"messages": ASKED, **endless}, timeout=0.5)
    for _ in range(100):
        if not service.thread.taken and not service.thread.running:
            return
        time.sleep(0.05)
    pytest.fail(f"{service.thread.taken} places stay taken")


def test_bad_requests_can_be_told_apart_by_the_client(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as refused:
        ask(client, extra_body={"nonsense": 1})
    assert refused.value.code == "unknown_parameter"
