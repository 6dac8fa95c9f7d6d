"""Streams of the pico model are what comes at once; an engine or server that says otherwise is found out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manus.capabilities.streaming import Settings
from manus.errors import Interrupted, ManusError, ModelError
from manus.models.generation.engine import Engine
from manus.models.generation.questions import Step
from manus.models.generation.text import Stream
from manus.serving.server.answering import Delta, Writer
from manus.serving.server.chat_completions import Shape
from manus.serving.streaming import measuring
from manus.serving.streaming.client import Asking, Wanted
from manus.serving.streaming.measuring import measured
from manus.serving.streaming.questions import Conversation
from tests import pico_native
from tests.unit.models.omni import small
from tests.unit.serving.server.serving import running

SETTINGS = Settings(questions=3, max_new_tokens=16)


def asked(*questions: str) -> list[tuple[str, Conversation]]:
    return [("cot", [{"role": "user", "content": question}]) for question in questions]


QUESTIONS = asked("last of 3 8 5", "last of 1 2 4", "last of 9 9 7", "first of 6 0 2")


def outcome(found: dict[str, Any]) -> dict[tuple[str, str], tuple[int, int]]:
    return {(one["where"], one["drawn"]): (one["equal"], one["answers"]) for one in found["comparisons"]}


@pytest.fixture(scope="module")
def tried(pico_base: Path) -> tuple[dict[str, Any], Any]:
    """What is measured on a sound model, once for the tests that look at it."""
    return measured(pico_base, QUESTIONS, SETTINGS, seed=7)


def test_what_is_streamed_is_what_comes_at_once(tried: tuple[dict[str, Any], Any]) -> None:
    found, _ = tried
    ways = [(where, drawn) for drawn in ("greedy", "drawn") for where in ("in process", "server")]
    assert outcome(found) == dict.fromkeys(ways, (3, 3))
    assert found["is_equal"] and found["asked"] == {"cot": 3}
    assert all(one["differences"] == [] for one in found["comparisons"])


def test_one_stream_and_eight_are_timed(tried: tuple[dict[str, Any], Any]) -> None:
    found, arrivals = tried
    assert [(load["streams"], load["answers"]) for load in found["loads"]] == [(1, 3), (8, 8)]
    assert {streams: len(answers) for streams, answers in arrivals.items()} == {1: 3, 8: 8}
    for load in found["loads"]:
        assert load["tokens"] >= 5 * load["answers"] and load["tokens_per_second"] > 0
        assert 0 < load["first_token"]["p50"] <= load["first_token"]["slowest"] <= load["seconds"]
        assert 0 <= load["gap"]["p50"] <= load["gap"]["p95"] and load["gap"]["count"] > 0
    begun = [one.asked for one in arrivals[8]]
    assert max(begun) < min(one.ended for one in arrivals[8]), "all eight run at the same time"


def test_an_engine_that_says_another_token_to_some_is_found_out(
    pico_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Engine.answers

    def altered(self: Engine, questions: Any, on_done: Any = None) -> list[list[int]]:
        first, *others = whole(self, questions, on_done)
        return [[first[0] + 1, *first[1:]], *others]

    monkeypatch.setattr(Engine, "answers", altered)
    found, _ = measured(pico_base, QUESTIONS, SETTINGS, seed=7)
    assert not found["is_equal"]
    assert outcome(found)["in process", "greedy"] == (2, 3)
    assert outcome(found)["server", "greedy"] == (3, 3)
    (difference,) = found["comparisons"][0]["differences"]
    assert difference["question"] == "last of 3 8 5"
    assert difference["streamed"] != difference["at_once"]


def test_pieces_of_text_that_are_not_the_text_are_found_out(
    pico_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Stream.add
    monkeypatch.setattr(Stream, "add", lambda self, token: add(self, token).replace("answer", "answr"))
    found, _ = measured(pico_base, QUESTIONS, SETTINGS, seed=7)
    assert outcome(found)["in process", "greedy"] == (0, 3)
    assert "answr" in found["comparisons"][0]["differences"][0]["streamed"]


def test_a_server_that_loses_a_piece_of_a_stream_is_found_out(
    pico_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = Shape.chunks

    async def losing(self: Shape, found: Any, counted: Any) -> Any:
        number = 0
        async for chunk in chunks(self, found, counted):
            number += 1
            if number != 4:
                yield chunk

    monkeypatch.setattr(Shape, "chunks", losing)
    found, _ = measured(pico_base, QUESTIONS, SETTINGS, seed=7)
    assert outcome(found)["server", "greedy"] == (0, 3)
    assert outcome(found)["in process", "greedy"] == (3, 3)
    assert not found["is_equal"]


def test_a_server_whose_engine_alters_a_token_now_and_then_is_found_out(
    pico_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, seen = Writer.write, iter(range(10**6))

    def altered(self: Writer, step: Step) -> Delta:
        is_changed = next(seen) % 17 == 3 and step.finish is None
        return write(self, replace(step, token=step.token + 1) if is_changed else step)

    monkeypatch.setattr(Writer, "write", altered)
    found, _ = measured(pico_base, QUESTIONS, SETTINGS, seed=7)
    assert not found["is_equal"]


def test_in_16_bits_too(pico_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What shares a batch decides ties there, so both sides must be asked in the same company."""
    monkeypatch.setattr("manus.serving.hosted.precision_of", lambda wanted: "bf16")
    found, _ = measured(pico_base, QUESTIONS, SETTINGS, seed=7)
    assert found["is_equal"] and found["dtype"] == "bfloat16"


@pytest.mark.parametrize("kind", ["omni", "llava"])
def test_a_model_with_senses_is_asked_in_text(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "llava":
        folder = pico_native.made("llava", tmp_path / "llava")
    else:
        eyes = small.vision_encoder("siglip_vision_model", tmp_path / "vision")
        text = small.text_model("llama", tmp_path / "text")
        folder = small.omni(text, tmp_path / "omni", eyes, None)
    marked = asked(f"what is {'<image>' if kind == 'llava' else '<|image|>'} here?")
    found, _ = measured(folder, [*QUESTIONS[:2], *marked], Settings(questions=9, max_new_tokens=6), seed=7)
    assert found["is_equal"] and found["asked"] == {"cot": 2}, "what stands for a medium is not asked as text"


def test_where_no_question_leaves_room_fixed_ones_are_asked(pico_base: Path) -> None:
    found, _ = measured(pico_base, asked("last of " + "3 " * 3000), SETTINGS, seed=7)
    assert found["asked"] == {"fixed questions": 3} and found["is_equal"]


def test_a_model_that_reads_too_little_is_refused(pico_base: Path) -> None:
    with pytest.raises(ModelError, match="lower max_new_tokens in the probe of `streaming`"):
        measured(pico_base, QUESTIONS, Settings(max_new_tokens=1_000_000), seed=7)


@pytest.mark.parametrize("crossings", [0, 3, 7])
def test_a_signal_ends_the_measurement_and_the_server(
    pico_base: Path, monkeypatch: pytest.MonkeyPatch, crossings: int
) -> None:
    seen: list[str] = []

    def cross(doing: str, **_: Any) -> None:
        seen.append(doing)
        if len(seen) > crossings:
            raise Interrupted("a signal came")

    monkeypatch.setattr(measuring.RUN, "cross", cross)
    before = set(threading.enumerate())
    with pytest.raises(Interrupted):
        measured(pico_base, QUESTIONS, SETTINGS, seed=7)
    assert seen == ["streaming"] * (crossings + 1)
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "engine"]


def test_what_a_server_refuses_is_said(pico_base: Path) -> None:
    with running(pico_base) as (address, _), Asking(address) as client:
        with pytest.raises(ManusError, match="status 400"):
            client.at_once([], Wanted(4))
        with pytest.raises(ManusError, match="status 400"):
            client.streamed([], Wanted(4))
    with Asking(address) as client, pytest.raises(ManusError, match="did not answer"):
        client.at_once([{"role": "user", "content": "?"}], Wanted(4))


@pytest.fixture(autouse=True)
def one_kind_of_load(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Where something is broken, eight streams side by side show nothing more."""
    if "monkeypatch" in request.fixturenames and "tried" not in request.fixturenames:
        monkeypatch.setattr(measuring, "STREAMS", (1,))
    yield
