"""Who may ask a server: by key, by page, by the name that is asked for."""

from __future__ import annotations

import pytest

from manus.errors import InputError
from manus.serving.server.access import Access, is_here
from manus.serving.server.refusals import Refused
from manus.serving.server.running import access_to

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
