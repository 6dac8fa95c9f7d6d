"""Realtime sessions by the real Python client: text, functions, speech that is heard, barge-in."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import OpenAI
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from manus.data.generators._speech import spoken
from manus.serving.server.access import Access
from manus.serving.server.answering import Service
from manus.serving.server.limits import Limits
from manus.serving.server.realtime import hearing
from manus.serving.server.realtime.hearing import CLIENT_HERTZ, SoundBuffer
from tests.unit.models.omni import small
from tests.unit.serving.server.serving import running

TOOL = {
    "type": "function",
    "name": "add",
    "parameters": {
        "type": "object",
        "properties": {"deep": {"type": "boolean"}},
        "required": ["deep"],
        "additionalProperties": False,
    },
}


def until(connection: Any, kind: str, most: int = 5000) -> list[Any]:
    """Return the events up to one of a kind."""
    found = []
    for _ in range(most):
        found.append(connection.recv())
        if found[-1].type == kind:
            return found
        assert found[-1].type != "error" or kind == "error", found[-1]
    raise AssertionError(f"no {kind}")


def said(text: str) -> Any:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def pcm(waves: np.ndarray[Any, Any]) -> str:
    return base64.b64encode((waves * 32767).astype("<i2").tobytes()).decode()


def test_a_conversation_in_text(client: OpenAI) -> None:
    with client.realtime.connect(model="pico") as connection:
        assert connection.recv().type == "session.created"
        connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        assert connection.recv().type == "session.updated"
        connection.conversation.item.create(item=said("last of 3 8 5"))
        assert until(connection, "conversation.item.done")[0].type == "conversation.item.added"
        connection.response.create()
        events = until(connection, "response.done")
        assert (
            "".join(one.delta for one in events if one.type == "response.output_text.delta")
            == "The answer is \\boxed{5}."
        )
        kinds = [one.type for one in events if one.type != "response.output_text.delta"]
        assert kinds == [
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]
        done = events[-1].response
        assert done.status == "completed" and done.usage.output_tokens > 5
        connection.conversation.item.retrieve(item_id=done.output[0].id)
        assert connection.recv().item.content[0].text == "The answer is \\boxed{5}."
        connection.conversation.item.delete(item_id=done.output[0].id)
        assert connection.recv().type == "conversation.item.deleted"


def test_a_function_is_called_and_its_result_taken(long_client: OpenAI) -> None:
    with long_client.realtime.connect(model="pico") as connection:
        session: Any = {"type": "realtime", "tools": [TOOL], "tool_choice": "required", "temperature": 1.0}
        connection.session.update(session={**session, "parallel_tool_calls": False})
        until(connection, "session.updated")
        connection.conversation.item.create(item=said("Add."))
        connection.response.create()
        events = until(connection, "response.done")
        (done,) = [one for one in events if one.type == "response.function_call_arguments.done"]
        assert isinstance(json.loads(done.arguments)["deep"], bool) and done.name == "add"
        connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": done.call_id, "output": "4"}
        )
        connection.response.create(response={"tool_choice": "none", "max_output_tokens": 3})
        assert until(connection, "response.done")[-1].response.status in ("completed", "incomplete")


def test_a_response_is_cancelled_and_its_place_is_free(
    long_client: OpenAI, long_served: tuple[str, Service]
) -> None:
    with long_client.realtime.connect(model="pico") as connection:
        connection.conversation.item.create(item=said("x"))
        connection.response.create(
            response={"temperature": 2.0, "max_output_tokens": 4000}  # type: ignore[typeddict-unknown-key]
        )
        until(connection, "response.output_text.delta")
        began = time.monotonic()
        connection.response.cancel()
        done = until(connection, "response.done")[-1].response
        assert done.status in ("cancelled", "completed") and time.monotonic() - began < 5
        connection.response.create(response={"max_output_tokens": 2})
        assert until(connection, "response.done")[-1].response.status in ("completed", "incomplete")
    for _ in range(100):
        if not long_served[1].thread.taken and not long_served[1].sessions:
            return
        time.sleep(0.05)
    pytest.fail("a session leaves something behind")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "nonsense"}, "no such event"),
        ({"type": "session.update"}, "an object is needed"),
        ({"type": "session.update", "session": {"output_modalities": ["audio"]}}, "answers here are text"),
        ({"type": "session.update", "session": {"nonsense": 1}}, "nonsense"),
        ({"type": "session.update", "session": {"tools": 5}}, "tools"),
        ({"type": "input_audio_buffer.append", "audio": "AAAA"}, "does not hear"),
        ({"type": "input_audio_buffer.commit"}, "less than 100 ms"),
        ({"type": "conversation.item.create", "item": {"type": "x"}}, "item.type"),
        (
            {
                "type": "conversation.item.create",
                "item": {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_image", "image_url": "data:,"}],
                },
            },
            "does not see",
        ),
        ({"type": "conversation.item.delete", "item_id": "x"}, "no item"),
        ({"type": "response.cancel"}, "no response"),
        ({"type": "response.create", "response": {"nonsense": 1}}, "nonsense"),
    ],
)
def test_an_event_that_cannot_be_is_answered_by_an_error_and_the_session_goes_on(
    client: OpenAI, event: dict[str, Any], reason: str
) -> None:
    with client.realtime.connect(model="pico") as connection:
        connection.recv()
        connection.send({**event, "event_id": "mine"})  # type: ignore[arg-type]
        told: Any = connection.recv()
        assert told.type == "error" and reason in f"{told.error.message} {told.error.param}"
        assert told.error.event_id == "mine"
        connection.session.update(session={"type": "realtime", "instructions": "Be kind."})
        assert connection.recv().type == "session.updated"


def test_what_no_model_here_can_do_is_named(client: OpenAI) -> None:
    with client.realtime.connect(model="pico") as connection:
        connection.recv()
        audio: Any = {
            "input": {"transcription": {"model": "x"}, "turn_detection": None},
            "output": {"voice": "y"},
        }
        connection.session.update(session={"type": "realtime", "audio": audio, "tracing": "auto"})
        updated: Any = connection.recv()
        assert updated.session.not_supported == ["tracing", "audio.output", "audio.input.transcription"]


def test_turns_by_meaning_are_heard_by_silences_and_it_is_said(client: OpenAI) -> None:
    with client.realtime.connect(model="pico") as connection:
        connection.recv()
        detection = {"type": "semantic_vad", "eagerness": "low", "interrupt_response": False}
        connection.session.update(
            session={
                "type": "realtime",
                "audio": {"input": {"turn_detection": detection}},  # type: ignore[typeddict-item]
            }
        )
        updated: Any = connection.recv()
        place = "audio.input.turn_detection"
        assert updated.session.not_supported == [f"{place}.eagerness", f"{place}.type=semantic_vad"]
        followed = updated.session.audio.input.turn_detection
        assert followed.type == "server_vad" and followed.interrupt_response is False


def test_what_a_session_keeps_has_a_bound(pico_base: Path) -> None:
    with running(pico_base, Limits(session_bytes=1000, all_bodies_bytes=4000)) as (url, service):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        with client.realtime.connect(model="pico") as connection:
            connection.recv()
            for _ in range(2):  # the first is forgotten for the second
                connection.conversation.item.create(item=said("x" * 600))
                until(connection, "conversation.item.done")
            connection.session.update(session={"type": "realtime", "truncation": "disabled"})
            until(connection, "session.updated")
            connection.conversation.item.create(item=said("x" * 600))
            told: Any = until(connection, "error")[-1]
            assert "up to 1,000 bytes" in told.error.message
            connection.conversation.item.create(item=said("x" * 5000))
            told = until(connection, "error")[-1]
            assert told.error.code == "too_many_bytes" and "try again" in told.error.message
            connection.conversation.item.create(item=said("x" * 100))
            until(connection, "conversation.item.done")
        assert service.bodies.held == 0


def test_pages_elsewhere_and_wrong_keys_open_no_session(served: tuple[str, Service], pico_base: Path) -> None:
    address = served[0].replace("http", "ws") + "/v1/realtime"
    for more in (
        {"origin": "https://attacker.example"},
        {"additional_headers": {"host": "attacker.example"}},
    ):
        with pytest.raises(InvalidStatus), connect(address, **more):  # type: ignore[arg-type]
            pass
    with running(pico_base, access=Access("secret")) as (url, _):
        address = url.replace("http", "ws") + "/v1/realtime?model=pico"
        with pytest.raises(InvalidStatus), connect(address):
            pass
        with connect(
            address,
            subprotocols=["realtime", "openai-insecure-api-key.secret"],  # type: ignore[list-item]
        ) as socket:
            assert socket.subprotocol == "realtime" and json.loads(socket.recv())["type"] == "session.created"


class Loud:
    """Takes loudness for speech: silero hears none in the noise that stands for it here."""

    def __init__(self, threshold: float, silence_ms: int) -> None:
        self.silence, self.quiet, self.triggered, self.temp_end = silence_ms / hearing.FRAME_MS, 0, False, 0

    def __call__(self, waves_S: np.ndarray[Any, Any]) -> dict[str, int] | None:
        is_loud = np.abs(waves_S).max() > 0.1
        self.quiet = 0 if is_loud else self.quiet + 1
        if is_loud and not self.triggered:
            self.triggered = True
            return {"start": 0}
        if self.triggered and self.quiet >= self.silence:
            self.triggered = False
            return {"end": 0}
        return None


@pytest.fixture(scope="module")
def hearing_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    root = tmp_path_factory.mktemp("hearing")
    text, ears = small.text_model("llama", root / "text"), small.whisper(root / "audio")
    with running(small.omni(text, root / "omni", None, ears)) as (url, _):
        yield OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def test_who_stops_speaking_is_answered_and_who_begins_is_not_talked_over(
    hearing_client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "detector", Loud)
    tone = np.sin(np.arange(CLIENT_HERTZ // 2) / 10) * 0.5
    silence = np.zeros(CLIENT_HERTZ)
    with hearing_client.realtime.connect(model="pico") as connection:
        connection.recv()
        connection.input_audio_buffer.append(audio=pcm(np.concatenate([silence, tone, silence])))
        kinds = [one.type for one in until(connection, "response.done")]
        assert [
            kind for kind in kinds if "speech" in kind or "committed" in kind or kind == "response.created"
        ] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "response.created",
        ]
        assert kinds.count("conversation.item.done") >= 1


def test_who_begins_to_speak_stops_the_answer(tmp_path: Path) -> None:
    # An answer that is not over by itself before who speaks is heard, on however busy a machine.
    text = small.text_model("llama", tmp_path / "text", max_position_embeddings=65536)
    with running(small.omni(text, tmp_path / "omni", None, small.whisper(tmp_path / "ears"))) as (
        url,
        service,
    ):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        with client.realtime.connect(model="pico") as connection:
            connection.recv()
            connection.conversation.item.create(item=said("x"))
            connection.response.create(response={"max_output_tokens": 60000})
            until(connection, "response.created")
            sound = sentence()
            for start in range(0, len(sound), 960):
                connection.input_audio_buffer.append(
                    audio=base64.b64encode(sound[start : start + 960]).decode()
                )
            events = until(connection, "input_audio_buffer.speech_started")
            (done,) = [one for one in events if one.type == "response.done"]
            assert (
                done.response.status == "cancelled" and done.response.status_details.reason == "turn_detected"
            )
        assert service.thread.failures == 0


def sentence() -> bytes:
    """Return a second of silence, a spoken sentence, and a second of silence, as PCM of 24 kHz."""
    with wave.open(
        io.BytesIO(spoken("The old captain sings in the garden.", "joe", 1.0, CLIENT_HERTZ))
    ) as file:
        return bytes(2 * CLIENT_HERTZ) + file.readframes(file.getnframes()) + bytes(2 * CLIENT_HERTZ)


def test_looking_at_what_was_heard_loses_nothing_that_comes_meanwhile() -> None:
    buffer, is_over = SoundBuffer(), threading.Event()

    def look() -> None:
        while not is_over.is_set():
            buffer.heard()

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(500):
        buffer.append(bytes(960))
    is_over.set()
    watcher.join()
    assert len(buffer.heard()) == buffer.end - buffer.begin > 100_000


def test_silero_hears_when_a_sentence_begins_and_ends() -> None:
    buffer, sound = SoundBuffer(), sentence()
    buffer.listen(0.5, 400, 300)
    found = [one for start in range(0, len(sound), 960) for one in buffer.append(sound[start : start + 960])]
    assert [one.kind for one in found] == ["started", "stopped"]
    assert 900 < found[0].at_ms < 1500 and found[1].at_ms > found[0].at_ms + 1000


def test_a_clip_is_committed_by_hand(hearing_client: OpenAI) -> None:
    with hearing_client.realtime.connect(model="pico") as connection:
        connection.recv()
        connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        connection.recv()
        connection.input_audio_buffer.append(audio=pcm(np.sin(np.arange(CLIENT_HERTZ) / 10) * 0.5))
        connection.input_audio_buffer.commit()
        assert until(connection, "conversation.item.done")[0].type == "input_audio_buffer.committed"
        connection.input_audio_buffer.clear()
        assert connection.recv().type == "input_audio_buffer.cleared"
        connection.response.create(response={"max_output_tokens": 4})
        assert until(connection, "response.done")[-1].response.usage.input_tokens > 10


def test_sound_comes_to_16_khz_in_pieces_of_any_length() -> None:
    waves = (np.sin(np.arange(CLIENT_HERTZ) / 10) * 16000).astype("<i2").tobytes()
    pieces, whole = SoundBuffer(), SoundBuffer()
    whole.append(waves)
    for start in range(0, len(waves), 962):
        pieces.append(waves[start : start + 962])
    one, other = whole.take(), pieces.take()
    assert abs(len(one) - 16000) < 200 and abs(len(one) - len(other)) < 200
    assert np.allclose(one[: len(other)], other[: len(one)], atol=1e-3)
    with pytest.raises(ValueError, match="two bytes"):
        whole.append(b"x")


def test_silero_hears_no_speech_in_silence_and_leaves_the_threads_alone() -> None:
    import torch

    before = torch.get_num_threads()
    buffer = SoundBuffer()
    buffer.listen(0.5, 200, 300)
    assert torch.get_num_threads() == before
    assert buffer.append(bytes(2 * CLIENT_HERTZ * 3)) == []
    assert buffer.seconds < 2
