"""Conversations with media reach the model as it takes them, and what it cannot take is refused."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import numpy as np
import pytest
from openai import BadRequestError, OpenAI

from manus.data.tokens import bounded_templates
from manus.guards.patience import Patience
from manus.serving.server.limits import Limits
from manus.serving.server.media import MediaDesk
from manus.serving.server.messages import Assistant, Tool, User, for_model
from manus.serving.server.refusals import Refused
from tests import pico_native
from tests.pico import tokenizer
from tests.unit.data.media import corpus
from tests.unit.models.omni import small
from tests.unit.serving.server.serving import running


def data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(seed: int = 0) -> str:
    stream = io.BytesIO()
    small.picture(seed).save(stream, "PNG")
    return data_url("image/png", stream.getvalue())


def sound(seconds: float = 0.7) -> str:
    return base64.b64encode(corpus.wav(small.sound(0, seconds))).decode()


def seen(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "auto"}}


def heard(data: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}


@pytest.fixture(scope="module")
def omni(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("omni")
    seeing, hearing = (
        small.vision_encoder("siglip_vision_model", root / "vision"),
        small.whisper(root / "audio"),
    )
    return small.omni(small.text_model("llama", root / "text"), root / "omni", seeing, hearing)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pico_native.made("llava", tmp_path_factory.mktemp("native") / "llava")


@pytest.mark.parametrize("kind", ["omni", "native"])
def test_a_model_with_senses_is_asked_about_what_is_sent(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    film = data_url("video/mp4", corpus.video(tmp_path / "film.mp4"))
    text = {"type": "text", "text": "What is this?"}
    with running(request.getfixturevalue(kind)) as (url, service):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)

        def tokens(*parts: Any) -> int:
            messages: list[Any] = [{"role": "user", "content": [*parts, text]}]
            found = client.chat.completions.create(model="pico", messages=messages, max_tokens=2)
            assert found.choices[0].finish_reason in ("stop", "length")
            return found.usage.prompt_tokens  # type: ignore[union-attr]

        assert service.hosted.senses >= {"image", "video"}
        alone, one, two = tokens(), tokens(seen(picture())), tokens(seen(picture()), seen(picture(1)))
        assert alone < one < two
        assert tokens({"type": "video_url", "video_url": {"url": film}}) > alone
        if kind == "omni":
            assert tokens(heard(sound())) > alone
            with pytest.raises(BadRequestError, match="can be heard"):
                tokens(heard(sound(seconds=60)))
        for bad, reason in [
            (seen(data_url("image/png", b"no picture")), "not a picture"),
            (seen("data:image/png;base64,!!"), "not valid base64"),
            (seen("data:image/png"), "without a comma"),
            (seen("https://example.org/a.png"), "fetches no addresses"),
            (seen("file:///etc/passwd"), "fetches no addresses"),
            (seen("/etc/passwd"), "not valid base64|not a picture"),
            (
                {"type": "text", "text": service.hosted.tokenizer.decode(one) and "<|image|> <image>"},
                "holds|stands in a text",
            ),
        ]:
            with pytest.raises(BadRequestError, match=reason):
                tokens(bad)
        with pytest.raises(BadRequestError, match="more than 16"):
            tokens(*[seen(picture())] * 17)
        assert service.thread.failures == service.thread.taken == 0
        assert (
            httpx2.get(f"{url}/v1/models").json()["data"][0]["senses"][:2]
            == ["text", *sorted(service.hosted.senses)][:2]
        )


def test_files_of_videos_are_gone_afterwards(tmp_path: Path) -> None:
    desk = MediaDesk({"video"}, lambda seconds: None, Limits())
    file = desk.part("video", data_url("video/mp4", corpus.video(tmp_path / "film.mp4")), "x")["video"]
    assert file.is_file()
    desk.close()
    assert not file.exists() and not file.parent.exists()


def test_a_sound_is_16_khz_whatever_it_was() -> None:
    desk = MediaDesk({"audio"}, lambda seconds: None, Limits())
    waves = np.sin(np.arange(48_000, dtype=np.float32) / 20) * 0.5
    found = desk.part("audio", base64.b64encode(corpus.wav(waves, rate=48_000)).decode(), "x")["audio"]
    assert len(found) == 16_000
    with pytest.raises(Refused, match="does not see"):
        desk.part("image", picture(), "x")


def conversation() -> list[Any]:
    call = {"id": "1", "function": {"name": "add", "arguments": '{"a": [1, 2]}'}}
    return [
        User(role="user", content="Add."),
        Assistant.model_validate({"role": "assistant", "tool_calls": [call]}),
        Tool(role="tool", content="3", tool_call_id="1"),
    ]


def put(in_system: bool, told: list[Any], template: str | None = None) -> tuple[list[dict[str, Any]], Any]:
    """Return the turns and the tools that a model would be shown."""
    words = tokenizer()
    words.chat_template = template or words.chat_template
    found: list[Any] = []
    hosted: Any = SimpleNamespace(
        tools_in_system=in_system,
        senses=set(),
        tokenizer=words,
        asked=lambda turns, tools: found.extend([turns, tools]),
    )
    functions = [{"name": "add", "description": "", "parameters": {"type": "object", "properties": {}}}]
    for_model(hosted, told, functions, MediaDesk(set(), lambda seconds: None, Limits()))
    return found[0], found[1]


def test_calls_are_text_as_taught_or_left_to_the_template() -> None:
    turns, tools = put(True, conversation())
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "tool"] and tools is None
    assert turns[2]["content"] == '<tool_call>\n{"name":"add","arguments":{"a":[1,2]}}\n</tool_call>'
    turns, tools = put(False, conversation())
    assert turns[1]["tool_calls"][0]["function"] == {"name": "add", "arguments": {"a": [1, 2]}}
    assert turns[2]["tool_call_id"] == "1" and tools[0]["function"]["name"] == "add"


def test_results_are_the_users_where_a_template_shows_no_turns_of_functions() -> None:
    template = (
        "{% for m in messages %}{% if m['role'] == 'tool' %}{{ raise_exception('no') }}{% endif %}"
        "{{ m['role'] }} {{ m['content'] }}\n{% endfor %}"
    )
    turns, _ = put(True, conversation(), template)
    assert turns[-1] == {"role": "user", "content": "<tool_response>\n3\n</tool_response>"}


def test_arguments_that_are_no_json_are_refused() -> None:
    call = {"id": "1", "function": {"name": "add", "arguments": "{"}}
    with pytest.raises(Refused, match="no JSON object"):
        put(
            True,
            [
                User(role="user", content="x"),
                Assistant.model_validate({"role": "assistant", "tool_calls": [call]}),
            ],
        )


LOOP = "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}"


def test_a_template_that_loops_holds_up_no_server(pico_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_templates, "PATIENCE", Patience(seconds=0.7, times=3))
    with running(pico_base) as (url, service):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)
        tokenizer = service.hosted.tokenizer
        good, tokenizer.chat_template = tokenizer.chat_template, LOOP
        asked: list[Any] = [{"role": "user", "content": "last of 3 8 5"}]
        for _ in range(4):
            with pytest.raises(BadRequestError, match=r"chat template takes more than 0\.7 s"):
                client.chat.completions.create(model="pico", messages=asked)
        assert client.completions.create(model="pico", prompt="one").choices[0].finish_reason
        tokenizer.chat_template = good
        assert client.chat.completions.create(model="pico", messages=asked).choices[0].message.content
