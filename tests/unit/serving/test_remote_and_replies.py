"""`manus chat --server`: the same conversation with a model behind a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manus.cli.main import app
from manus.errors import InputError
from manus.serving.remote import RemoteConversation
from manus.serving.server.access import Access
from tests.unit.models.omni import small
from tests.unit.serving.server.serving import running

SAID = "The answer is \\boxed{5}."


@pytest.fixture(scope="module")
def server(pico_base: Path) -> Iterator[str]:
    with running(pico_base, access=Access("secret")) as (url, _):
        yield url


def test_a_question_is_answered_piece_by_piece_and_remembered(server: str) -> None:
    conversation = RemoteConversation(f"{server}/v1/", "secret", max_new_tokens=40)
    pieces = list(conversation.reply("last of 3 8 5"))
    assert "".join(pieces) == SAID == conversation.last.text and len(pieces) > 5
    assert (
        conversation.last.tokens > 5
        and conversation.last.seconds >= conversation.last.first_token_seconds > 0
    )
    assert [turn["role"] for turn in conversation.messages] == ["user", "assistant"]
    stopped = conversation.reply("last of 1 2 3")
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    assert conversation.last.was_stopped and len(conversation.messages) == 4
    conversation.reset()
    assert conversation.messages == []


def test_once_on_the_command_line(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANUS_SERVE_KEY", "secret")
    done = CliRunner().invoke(app, ["chat", "--server", server, "--once", "last of 3 8 5", "--json"])
    assert done.exit_code == 0 and json.loads(done.output)["answer"] == SAID


def test_what_cannot_be_is_one_message(server: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bearer"):
        RemoteConversation(server, "wrong")
    with pytest.raises(InputError, match=r"--server http://127.0.0.1:9"):
        RemoteConversation("http://127.0.0.1:9")
    conversation = RemoteConversation(server, "secret")
    with pytest.raises(InputError, match="text only"):
        conversation.attach("image", tmp_path / "a.png")
    with pytest.raises(InputError, match="the model reads 256"):
        list(conversation.reply("x" * 2000))
    assert conversation.messages == []


def test_a_picture_goes_with_the_question(tmp_path: Path) -> None:
    seeing = small.vision_encoder("siglip_vision_model", tmp_path / "vision")
    small.picture().save(tmp_path / "a.png")
    with running(
        small.omni(small.text_model("llama", tmp_path / "text"), tmp_path / "omni", seeing, None)
    ) as (url, _):
        conversation = RemoteConversation(url, max_new_tokens=3)
        list(conversation.reply("What?"))
        before = conversation.last.prompt_tokens
        conversation.reset()
        conversation.attach("image", tmp_path / "a.png")
        list(conversation.reply("What?"))
        assert conversation.last.prompt_tokens > before + 3 and conversation.waiting == []
