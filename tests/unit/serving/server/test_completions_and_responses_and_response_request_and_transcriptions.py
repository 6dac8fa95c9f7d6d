"""Bare texts, the later interface, and sound that is written down, all by the real client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_type_hints

import httpx2
import pytest
from openai import APIStatusError, BadRequestError, OpenAI
from openai.types import completion_create_params
from openai.types.audio import transcription_create_params
from openai.types.responses import response_create_params

from manus.serving.server import completions, response_request, transcriptions
from manus.serving.server.answering import Service
from tests.unit.data.media import corpus
from tests.unit.models.omni import small
from tests.unit.serving.server.serving import running

SAID = "The answer is \\boxed{5}."
PROMPT = "<|im_start|>user\nlast of 3 8 5<|im_end|>\n<|im_start|>assistant\n"
TOOL: Any = {
    "type": "function",
    "name": "add",
    "parameters": {
        "type": "object",
        "properties": {"deep": {"type": "boolean"}},
        "required": ["deep"],
        "additionalProperties": False,
    },
}


@pytest.mark.parametrize(
    ("params", "request_model", "not_built"),
    [
        (
            completion_create_params.CompletionCreateParamsStreaming,
            completions.CompletionRequest,
            completions.NOT_BUILT,
        ),
        (
            response_create_params.ResponseCreateParamsStreaming,
            response_request.ResponseRequest,
            response_request.NOT_BUILT,
        ),
        (
            transcription_create_params.TranscriptionCreateParamsStreaming,
            transcriptions.TranscriptionRequest,
            transcriptions.NOT_BUILT,
        ),
    ],
)
def test_every_parameter_is_read_or_refused_by_name(
    params: Any, request_model: Any, not_built: dict[str, str]
) -> None:
    there = set(get_type_hints(params)) - {"file"}
    assert len(there) > 8
    assert there - set(request_model.model_fields) == {name.removesuffix("[]") for name in not_built}


def test_a_text_is_gone_on_with(client: OpenAI) -> None:
    found = client.completions.create(model="pico", prompt=PROMPT, max_tokens=40)
    assert found.choices[0].text == SAID and found.choices[0].finish_reason == "stop"
    chunks = list(client.completions.create(model="pico", prompt=PROMPT, max_tokens=40, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == SAID and len(chunks) > 5
    several = client.completions.create(model="pico", prompt=[PROMPT, "last"], n=2, max_tokens=3, logprobs=1)
    assert [choice.index for choice in several.choices] == [0, 1, 2, 3]
    assert several.choices[0].text == several.choices[1].text == "The answer is"
    assert several.choices[0].logprobs is not None and len(several.choices[0].logprobs.tokens or []) == 3
    assert several.usage is not None and several.usage.completion_tokens == 12


def test_tokens_are_gone_on_with(client: OpenAI, served: tuple[str, Service]) -> None:
    ids = served[1].hosted.tokens(PROMPT)
    assert client.completions.create(model="pico", prompt=ids, max_tokens=40).choices[0].text == SAID
    for bad in ([10**6], [], "", [[1]] * 9):
        with pytest.raises(BadRequestError):
            client.completions.create(model="pico", prompt=bad)


def test_a_response_at_once_and_streamed(client: OpenAI) -> None:
    found = client.responses.create(model="pico", input="last of 3 8 5")
    assert (found.output_text, found.status) == (SAID, "completed")
    assert found.usage is not None and found.usage.output_tokens > 5
    message = [{"role": "user", "content": [{"type": "input_text", "text": "last of 3 8 5"}]}]
    events = list(
        client.responses.create(model="pico", input=message, stream=True)  # type: ignore[call-overload]
    )
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == SAID
    assert [event.sequence_number for event in events] == [*range(len(events))]
    kinds = [event.type for event in events if event.type != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert events[-1].response.output_text == SAID
    with client.responses.stream(model="pico", input="last of 3 8 5") as stream:
        assert stream.get_final_response().output_text == SAID
    cut = client.responses.create(model="pico", input="last of 3 8 5", max_output_tokens=2)
    assert cut.status == "incomplete" and cut.incomplete_details is not None


def test_a_response_calls_functions_and_takes_their_results(long_client: OpenAI) -> None:
    how: Any = {"model": "pico", "tools": [TOOL], "parallel_tool_calls": False, "temperature": 1.0}
    found = long_client.responses.create(input="Add.", tool_choice="required", **how)
    (call,) = found.output
    assert call.type == "function_call" and isinstance(json.loads(call.arguments)["deep"], bool)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "4"}
    follow: Any = [{"role": "user", "content": "Add."}, call, result]
    assert long_client.responses.create(input=follow, max_output_tokens=3, **how).status in (
        "completed",
        "incomplete",
    )
    form: Any = {"format": {"type": "json_schema", "name": "x", "schema": TOOL["parameters"]}}
    assert isinstance(
        json.loads(long_client.responses.create(model="pico", input="x", text=form).output_text)["deep"], bool
    )


@pytest.mark.parametrize(
    "how",
    [{"previous_response_id": "x"}, {"background": True}, {"reasoning": {"effort": "high"}}, {"nonsense": 1}],
)
def test_what_a_response_cannot_be_is_refused_by_name(
    served: tuple[str, Service], how: dict[str, Any]
) -> None:
    answer = httpx2.post(f"{served[0]}/v1/responses", json={"input": "x", **how})
    assert answer.status_code == 400 and next(iter(how)) in answer.json()["error"]["param"]


def test_who_does_not_hear_writes_nothing_down(client: OpenAI) -> None:
    with pytest.raises(APIStatusError, match="does not hear") as refused:
        client.audio.transcriptions.create(model="pico", file=b"x")
    assert refused.value.status_code == 501


def test_sound_is_written_down_piece_by_piece(tmp_path: Path) -> None:
    text, hearing = small.text_model("llama", tmp_path / "text"), small.whisper(tmp_path / "audio")
    with running(small.omni(text, tmp_path / "omni", None, hearing)) as (url, service):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        longest = service.hosted.layout.longest_audio_seconds
        sound = corpus.wav(small.sound(0, 1.5 * longest))
        short = corpus.wav(small.sound(0, 0.5 * longest))

        def written(content: bytes, **how: Any) -> Any:
            return client.audio.transcriptions.create(model="pico", file=("a.wav", content), **how)

        found = written(sound)
        assert found.usage.input_tokens > 1.5 * written(short).usage.input_tokens
        events = list(written(sound, stream=True))
        assert events[-1].type == "transcript.text.done" and events[-1].text == found.text
        assert "".join(event.delta for event in events[:-1]) == found.text
        assert written(sound, response_format="text").rstrip("\n") == found.text
        for content, how, reason in [
            (b"", {}, "empty"),
            (b"no sound", {}, "file"),
            (sound, {"response_format": "srt"}, "response_format"),
            (sound, {"timestamp_granularities": ["word"]}, "tells no times"),
        ]:
            with pytest.raises(BadRequestError, match=reason):
                written(content, **how)
        assert httpx2.post(f"{url}/v1/audio/transcriptions", content=b"x").status_code == 400
