"""What is spoken and shown is read as it comes: the answer is the same, and waits for the rest alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import OpenAI

from manus.models.listening.context import Context
from manus.serving.server.answering import Service
from manus.serving.server.realtime import early
from manus.serving.server.realtime.hearing import CLIENT_HERTZ
from tests.pico_native_more import made as native
from tests.unit.models.omni import small
from tests.unit.serving.server.realtime.test_endpoint_and_session_and_items_and_speaking_and_settings_and_hearing import (
    pcm,
    said,
    until,
)
from tests.unit.serving.server.serving import running

PIECE_SECONDS, SECONDS = 0.32, 2.0
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpenAI, Service]]:
    root = tmp_path_factory.mktemp("early")
    seeing = small.vision_encoder("siglip_vision_model", root / "see")
    text = small.text_model("llama", root / "text", max_position_embeddings=2048)
    settings = {"longest_audio_seconds": PIECE_SECONDS}
    folder = small.omni(text, root / "omni", seeing, small.whisper(root / "hear"), settings=settings)
    with running(folder) as (url, service):
        yield OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0), service


class Reads:
    """How many tokens were read early, and when a prompt was answered; how long it was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.early: list[int] = []
        self.answered: list[tuple[int, int]] = []
        read, append, continued = Context.read, Context.append, Context.continued
        is_answering = False

        def continuing(context: Context, ids: Any, media: Any) -> Any:
            nonlocal is_answering
            is_answering = True
            found = continued(context, ids, media)
            is_answering = False
            return found

        def reading(context: Context, ids: Any, media: Any) -> int:
            count = read(context, ids, media)
            if is_answering:
                self.answered.append((count, len(ids)))
            return count

        def appending(context: Context, units: Any, embeds: Any) -> Any:
            self.early += [] if is_answering else [embeds.shape[1]]
            return append(context, units, embeds)

        monkeypatch.setattr(Context, "read", reading)
        monkeypatch.setattr(Context, "append", appending)
        monkeypatch.setattr(Context, "continued", continuing)


def noise(seed: int) -> np.ndarray[Any, Any]:
    """Return sound of 24 kHz."""
    return np.random.default_rng(seed).standard_normal(round(SECONDS * CLIENT_HERTZ)) * 0.1


def speak(connection: Any, seed: int, pause: float = 0.0) -> None:
    """Say something in short pieces, as a client does, and end the turn."""
    sound = noise(seed)
    for start in range(0, len(sound), CLIENT_HERTZ // 10):
        connection.input_audio_buffer.append(audio=pcm(sound[start : start + CLIENT_HERTZ // 10]))
        time.sleep(pause)
    connection.input_audio_buffer.commit()
    until(connection, "conversation.item.done")


def answer(connection: Any) -> str:
    connection.response.create(response={"temperature": 0.0, "max_output_tokens": 8})
    events = until(connection, "response.done")
    assert events[-1].response.status in ("completed", "incomplete"), events[-1]
    return "".join(one.delta for one in events if one.type == "response.output_text.delta")


def conversation(client: OpenAI, *, is_early: bool) -> list[str]:
    """Hold a conversation of sound, a picture, text and sound again; return the answers."""
    with client.realtime.connect(model="pico") as connection:
        created: Any = connection.recv()
        assert (created.session.listening == "as it comes") == is_early
        connection.session.update(
            session={
                "type": "realtime",
                "instructions": "Be kind.",
                "audio": {"input": {"turn_detection": None}},
            }
        )
        until(connection, "session.updated")
        speak(connection, 1, pause=0.02)
        first = answer(connection)
        picture: Any = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_image", "image_url": PIXEL}],
        }
        connection.conversation.item.create(item=picture)
        until(connection, "conversation.item.done")
        connection.conversation.item.create(item=said("what"))
        until(connection, "conversation.item.done")
        second = answer(connection)
        speak(connection, 2, pause=0.02)
        return [first, second, answer(connection)]


def test_answers_are_the_same_and_little_is_left_to_read(
    served: tuple[OpenAI, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, service = served
    reads = Reads(monkeypatch)
    found = conversation(client, is_early=True)
    assert len(reads.answered) == 3
    for read, length in (reads.answered[0], reads.answered[2]):
        pieces = -(-SECONDS // PIECE_SECONDS)
        assert length > pieces * 4 and read < length / 2, (
            "most of what was spoken was read before it was asked about"
        )
    assert len(reads.early) > 4, "piece by piece"
    patience = time.monotonic() + 30  # the server may learn of the end later than its client
    while service.listening and time.monotonic() < patience:
        time.sleep(0.05)
    assert not service.listening, "a session that is over holds nothing"
    monkeypatch.setattr(service, "why_late", "of a test")
    early_so_far = len(reads.early)
    assert conversation(client, is_early=False) == found
    assert len(reads.early) == early_so_far and len(set(found)) > 1


def test_settings_that_change_and_sound_that_is_cleared_are_read_anew(
    served: tuple[OpenAI, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, service = served

    def talk() -> str:
        with client.realtime.connect(model="pico") as connection:
            connection.recv()
            quiet: Any = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            connection.session.update(session=quiet)
            until(connection, "session.updated")
            connection.input_audio_buffer.append(audio=pcm(noise(3)))
            time.sleep(0.1)
            connection.input_audio_buffer.clear()
            until(connection, "input_audio_buffer.cleared")
            connection.input_audio_buffer.append(audio=pcm(noise(4)))
            time.sleep(0.1)
            connection.session.update(session={**quiet, "instructions": "Be very kind."})
            until(connection, "session.updated")
            connection.input_audio_buffer.commit()
            until(connection, "conversation.item.done")
            return answer(connection)

    found = talk()
    monkeypatch.setattr(service, "why_late", "of a test")
    assert talk() == found


def test_few_sessions_hold_what_they_heard(
    served: tuple[OpenAI, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, service = served
    monkeypatch.setattr(early, "MOST_CONTEXTS", 1)
    with client.realtime.connect(model="pico") as one, client.realtime.connect(model="pico") as two:
        for connection in (one, two):
            connection.recv()
            quiet: Any = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            connection.session.update(session=quiet)
            until(connection, "session.updated")
        for seed, connection in ((1, one), (2, two), (3, one)):
            connection.input_audio_buffer.append(audio=pcm(noise(seed)))
            time.sleep(0.1)
            assert len(service.listening) <= 1
        for connection in (one, two):
            connection.input_audio_buffer.commit()
            until(connection, "conversation.item.done")
            answer(connection)
    assert service.thread.failures == 0


def test_a_long_session_goes_on_with_what_was_said_last(
    served: tuple[OpenAI, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, service = served
    lengths: list[int] = []
    read = Context.read

    def reading(context: Context, ids: Any, media: Any) -> int:
        lengths.append(len(ids))
        return read(context, ids, media)

    monkeypatch.setattr(Context, "read", reading)
    monkeypatch.setitem(service.hosted.__dict__, "context", 160)
    with client.realtime.connect(model="pico") as connection:
        connection.recv()
        quiet: Any = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        connection.session.update(session=quiet)
        until(connection, "session.updated")
        for seed in range(8):  # each turn takes about 40 tokens
            speak(connection, seed)
            answer(connection)
        assert 100 < max(lengths) <= 152
        connection.session.update(session={"type": "realtime", "truncation": "disabled"})
        until(connection, "session.updated")
        for seed in range(8):
            speak(connection, seed)
            connection.response.create(response={"max_output_tokens": 8})
            done = until(connection, "response.done")[-1].response
            if done.status == "failed":
                assert done.status_details.error.code == "context_length_exceeded"
                return
    pytest.fail("more than the model reads was answered")


def test_a_model_that_cannot_says_why_and_answers_what_is_committed(tmp_path: Path) -> None:
    with running(native("qwen2_audio", tmp_path)) as (url, service):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        with client.realtime.connect(model="pico") as connection:
            created: Any = connection.recv()
            assert (
                "when it is asked about: qwen2_audio has a processor of its own" in created.session.listening
            )
            quiet: Any = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            connection.session.update(session=quiet)
            until(connection, "session.updated")
            speak(connection, 1)
            answer(connection)
        assert not service.listening and service.thread.failures == 0
