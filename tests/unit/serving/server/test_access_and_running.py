"""Who may ask a server: by key, by page, by the name that is asked for."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from manus.cli import serving
from manus.errors import InputError
from manus.serving.server.access import Access, is_here
from manus.serving.server.refusals import Refused
from manus.serving.server.running import access_to
from tests.unit.models.omni import small

HERE = {"host": "127.0.0.1:8000"}


def refusal(access: Access, path: str = "/v1/models", **headers: str) -> int | None:
    try:
        access.check(path, HERE | {name.replace("_", "-"): value for name, value in headers.items()})
    except Refused as refused:
        return refused.status
    return None


def test_without_a_key_only_this_machine_may_ask_by_its_own_name() -> None:
    assert refusal(Access()) is None
    assert refusal(Access(), host="localhost:1") is None
    assert refusal(Access(), host="[::1]:8000") is None
    assert refusal(Access(), host="attacker.example:8000") == 403
    assert refusal(Access(), host="") == 403
    assert not is_here("127.0.0.1.attacker.example")


def test_a_page_elsewhere_may_ask_only_when_it_is_named() -> None:
    assert refusal(Access(), origin="http://127.0.0.1:8000") is None
    assert refusal(Access(), origin="http://127.0.0.1:9000") == 403
    assert refusal(Access(), origin="https://attacker.example") == 403
    assert refusal(Access(origins=("https://mine.example",)), origin="https://mine.example") is None
    assert refusal(Access(), origin="null") == 403


def test_a_key_is_asked_for_everywhere_but_on_the_page() -> None:
    access = Access(key="right")
    assert refusal(access, host="model.example") == 401
    assert refusal(access, authorization="Bearer wrong") == 401
    assert refusal(access, authorization="right") == 401
    assert refusal(access, authorization="Bearer right") is None
    assert refusal(access, authorization="bearer ré") == 401
    assert refusal(access, sec_websocket_protocol="realtime, openai-insecure-api-key.right") is None
    assert refusal(access, sec_websocket_protocol="realtime, openai-insecure-api-key.wrong") == 401
    assert [refusal(access, path) for path in ("/", "/health", "/page/chat.js")] == [None] * 3
    assert refusal(access, "/metrics") == 401


def test_an_address_that_others_reach_needs_a_key() -> None:
    with pytest.raises(InputError, match="MANUS_SERVE_KEY"):
        access_to("0.0.0.0", None)
    with pytest.raises(InputError, match="empty"):
        access_to("0.0.0.0", " ")
    assert access_to("0.0.0.0", " secret\n").key == "secret"
    assert [access_to(host, None).key for host in ("127.0.0.1", "::1", "localhost")] == [None] * 3


STARTING = """
import asyncio, json, sys
from pathlib import Path
from manus.models.loading.imports import import_libraries
import_libraries()
from manus.serving.server.access import Access
from manus.serving.server.application import application
from manus.serving.server.limits import Limits
from manus.serving.server.running import service_of
from manus.serving.hosted import Hosted
from starlette.testclient import TestClient
service = service_of(Hosted.load(Path(sys.argv[1]), "pico"), Limits(), Access())
body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
with TestClient(application(service), base_url="http://localhost") as client:
    answer = client.post("/v1/chat/completions", json=body)
assert answer.status_code == 200, answer.text
import transformers
from manus.models.loading import composition
assert composition.AutoModelForCausalLM is transformers.AutoModelForCausalLM
print(json.dumps(sorted(sys.modules)))
"""
NEVER = {"torch._dynamo.eval_frame", "torch._inductor.config", "transformers.trainer", "datasets", "trl"}


@pytest.mark.parametrize("kind", ["text", "omni"])
def test_a_server_answers_without_what_no_answer_needs(kind: str, pico_base: Path, tmp_path: Path) -> None:
    folder = pico_base
    if (
        kind == "omni"
    ):  # its classes are registered with those of transformers, of which there must be one each
        text, eyes = small.text_model("llama", tmp_path / "text"), tmp_path / "eyes"
        folder = small.omni(text, tmp_path / "omni", small.vision_encoder("siglip_vision_model", eyes), None)
    done = subprocess.run(
        [sys.executable, "-c", STARTING, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not NEVER & set(json.loads(done.stdout.splitlines()[-1]))


def test_the_command_loads_libraries_as_jobs_do() -> None:
    source = inspect.getsource(serving.serve)
    assert source.index("import_libraries()") < source.index("manus.serving.server.running")
