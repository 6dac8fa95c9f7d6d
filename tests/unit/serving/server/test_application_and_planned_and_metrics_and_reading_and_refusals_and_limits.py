"""The addresses around the answers: models, health, numbers, what is not built, and how errors look."""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from openai import APIStatusError, AuthenticationError, OpenAI, RateLimitError

from manus.serving.server.access import Access
from manus.serving.server.answering import Service
from manus.serving.server.chat_completions import ChatRequest
from manus.serving.server.completions import CompletionRequest
from manus.serving.server.limits import Limits
from manus.serving.server.planned import REASONS
from manus.serving.server.refusals import Refused
from manus.serving.server.response_request import ResponseRequest
from tests.unit.serving.server.serving import running

REQUESTS = (ChatRequest, CompletionRequest, ResponseRequest)
ASKED: list[Any] = [{"role": "user", "content": "last of 3 8 5"}]
LONG_ANSWER = 500  # tokens: it is still being given while the test looks


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    ends_at = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends_at, "it never came"
        time.sleep(0.002)


def test_the_model_is_listed(client: OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == "pico" and client.models.retrieve("pico").id == "pico"
    with pytest.raises(APIStatusError) as refused:
        client.models.retrieve("other/one")
    assert refused.value.status_code == 404


@pytest.mark.parametrize("path", REASONS)
def test_what_no_model_can_do_yet_says_so(served: tuple[str, Service], path: str) -> None:
    answer = httpx2.post(f"{served[0]}{path}", json={})
    assert answer.status_code == 501 and answer.json()["error"]["message"].startswith("this model ")


def test_other_addresses_and_methods_are_none(served: tuple[str, Service]) -> None:
    for method, path, status in [
        ("GET", "/v2", 404),
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/health", 405),
    ]:
        answer = httpx2.request(method, f"{served[0]}{path}")
        assert answer.status_code == status and path in answer.json()["error"]["message"]
    for path in ("/page/../application.py", "/page/%2e%2e/application.py", "/page//etc/passwd"):
        assert httpx2.get(f"{served[0]}{path}").status_code == 404


def test_the_numbers_grow_with_what_is_answered(served: tuple[str, Service], client: OpenAI) -> None:
    def number(name: str) -> float:
        lines = httpx2.get(f"{served[0]}/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    before = number("manus_answer_tokens_total"), number("manus_first_token_seconds_count")
    usage = client.chat.completions.create(model="pico", messages=ASKED).usage
    assert usage is not None
    assert number("manus_answer_tokens_total") - before[0] == usage.completion_tokens
    assert number("manus_first_token_seconds_count") - before[1] == 1
    assert number("manus_running") == number("manus_waiting") == number("manus_engine_failures") == 0
    assert httpx2.get(f"{served[0]}/health").json() == {"status": "ok"}


def test_a_request_larger_than_allowed_is_refused_while_it_comes(pico_base: Path) -> None:
    with running(pico_base, Limits(body_bytes=1000)) as (url, _):
        for content in (b"x" * 1001, iter([b"x" * 600] * 2)):
            answer = httpx2.post(f"{url}/v1/chat/completions", content=content)
            assert answer.status_code == 413 and "1,000 bytes" in answer.json()["error"]["message"]


def test_all_that_is_read_at_once_has_a_bound_and_it_is_free_again(pico_base: Path) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\n"
    with running(pico_base, Limits(body_bytes=1000, all_bodies_bytes=2000)) as (url, service):
        address = urlsplit(url)
        slow = [socket.create_connection((address.hostname, address.port), 30) for _ in range(2)]
        for one in slow:
            one.sendall(head + b" " * 890)
        until(lambda: service.bodies.held == 1780)
        refused = httpx2.post(f"{url}/v1/completions", content=b" " * 600)
        assert refused.status_code == 429 and refused.json()["error"]["code"] == "too_many_bytes"
        assert refused.headers["retry-after"] == "1"
        slow[0].close()  # its sender is gone
        slow[1].sendall(b" " * 10)  # all of it has come, and is no JSON
        assert slow[1].recv(1000).startswith(b"HTTP/1.1 400")
        slow[1].close()
        until(lambda: service.bodies.held == 0)
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        assert client.chat.completions.create(model="pico", messages=ASKED).choices[0].message.content
        assert service.bodies.held == 0


@pytest.mark.parametrize("path", ["chat/completions", "completions", "responses"])
@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_request_is_forgotten_before_it_is_answered(
    long_served: tuple[str, Service], path: str, is_streamed: bool
) -> None:
    url, service = long_served
    content = {
        "chat/completions": {"messages": ASKED, "max_tokens": LONG_ANSWER},
        "completions": {"prompt": "a", "max_tokens": LONG_ANSWER},
        "responses": {"input": "a", "max_output_tokens": LONG_ANSWER},
    }
    body = {**content[path], "stream": is_streamed, "temperature": 1.5}
    gc.collect()
    before = sum(type(one) in REQUESTS for one in gc.get_objects())
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(httpx2.post, f"{url}/v1/{path}", json=body, timeout=60)
        until(lambda: bool(service.thread.running) or answer.done())
        assert service.bodies.held == 0
        gc.collect()
        assert sum(type(one) in REQUESTS for one in gc.get_objects()) <= before
        assert answer.result().status_code == 200


def test_a_full_queue_says_to_come_again(pico_base: Path) -> None:
    with running(pico_base, Limits(places=1, waiting=1)) as (url, service):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        with pytest.raises(RateLimitError, match="try again") as refused:
            client.chat.completions.create(model="pico", messages=ASKED, n=3)
        assert refused.value.response.headers["retry-after"] == "1"
        client.chat.completions.create(model="pico", messages=ASKED, n=2)
        assert service.thread.taken == 0


def test_a_long_answer_is_cut_when_its_time_is_over(long_base: Path) -> None:
    with running(long_base, Limits(answer_seconds=0.5)) as (url, service):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        (choice,) = client.chat.completions.create(
            model="pico",
            messages=ASKED,
            max_tokens=4000,
            temperature=1.5,
            seed=1,
            logit_bias={str(end): -100 for end in service.hosted.ends},
        ).choices
        assert choice.finish_reason == "length" and choice.message.content
        assert service.thread.taken == 0


def test_a_key_is_asked_for(pico_base: Path) -> None:
    with running(pico_base, access=Access("secret", ("https://mine.example",))) as (url, _):
        with pytest.raises(AuthenticationError, match="bearer"):
            OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0).models.list()
        assert OpenAI(base_url=f"{url}/v1", api_key="secret").models.list().data
        assert httpx2.get(f"{url}/health").status_code == 200
        assert httpx2.get(f"{url}/metrics").status_code == 401
        asked = {"origin": "https://mine.example", "access-control-request-method": "POST"}
        allowed = httpx2.options(f"{url}/v1/chat/completions", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://mine.example"
        asked["origin"] = "https://other.example"
        assert "access-control-allow-origin" not in httpx2.options(f"{url}/v1/models", headers=asked).headers


def test_what_breaks_inside_tells_the_client_nothing_of_it(
    served: tuple[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(served[1].hosted, "asked", broken)
    answer = httpx2.post(f"{served[0]}/v1/chat/completions", json={"messages": ASKED})
    assert answer.status_code == 500 and "secret" not in answer.text and "the server goes on" in answer.text


def test_refusals_look_as_clients_expect() -> None:
    assert Refused("no", 429).body["error"] == {
        "message": "no",
        "type": "rate_limit_error",
        "param": None,
        "code": None,
    }
    assert [Refused("", status).body["error"]["type"] for status in (400, 401, 404, 500, 501)] == [
        "invalid_request_error",
        "authentication_error",
        "invalid_request_error",
        "server_error",
        "not_implemented_error",
    ]
