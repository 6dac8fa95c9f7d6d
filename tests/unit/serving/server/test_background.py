"""A server in a thread answers while the block lasts, and says so when it cannot begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from httpx2 import Client, HTTPError

from manus.errors import ManusError
from manus.serving.hosted import Hosted
from manus.serving.server.access import Access
from manus.serving.server.answering import Service
from manus.serving.server.background import in_background
from manus.serving.server.limits import Limits
from manus.serving.server.running import Server, service_of


def service(folder: Path) -> Service:
    return service_of(Hosted.load(folder, "pico"), Limits(), Access())


def test_it_answers_while_the_block_lasts_and_not_longer(pico_base: Path) -> None:
    made = service(pico_base)
    with Client(trust_env=False) as client:
        with in_background(made) as address:
            assert client.get(f"{address}/health").json() == {"status": "ok"}
        assert not made.thread.thread.is_alive()
        with pytest.raises(HTTPError):
            client.get(f"{address}/health")


def test_an_error_in_the_block_stops_it_too(pico_base: Path) -> None:
    made = service(pico_base)
    with pytest.raises(ZeroDivisionError), in_background(made):
        1 / 0  # noqa: B018
    assert not made.thread.thread.is_alive()


def test_a_server_that_cannot_begin_is_an_error(pico_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ends(self: Server, sockets: Any = None) -> None:
        return

    monkeypatch.setattr(Server, "serve", ends)
    with pytest.raises(ManusError, match="did not start"), in_background(service(pico_base)):
        raise AssertionError("the block is not entered")
