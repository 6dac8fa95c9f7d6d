"""Media from addresses: only where allowed, only from the public internet, despite names and redirections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from manus.serving.server import addresses
from manus.serving.server.addresses import fetched, is_public
from manus.serving.server.limits import Limits
from manus.serving.server.refusals import Refused

FETCHING = Limits(may_fetch=True, fetch_bytes=100, fetch_seconds=5)


@pytest.mark.parametrize(
    "number",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1",
        "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "255.255.255.255", "::",
    ],
)  # fmt: skip
def test_a_private_address_is_told(number: str) -> None:
    assert not is_public(number)


def test_a_public_address_is_told() -> None:
    assert is_public("93.184.216.34") and is_public("2606:2800:220:1:248:1893:25c8:1946")


def test_nothing_is_fetched_unless_the_server_may() -> None:
    with pytest.raises(Refused, match="--fetch-media"):
        fetched("https://example.org/a.png", Limits(), "image_url")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/a",
        "http://localhost:1/a",
        "http://[::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
    ],
)
def test_this_machine_and_its_neighbours_are_never_asked(address: str) -> None:
    with pytest.raises(Refused, match=r"not on the public internet|not known|cannot be fetched"):
        fetched(address, FETCHING, "image_url")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://example.org/a", "gopher://example.org/"])
def test_other_schemes_are_refused(address: str) -> None:
    with pytest.raises(Refused, match="only http and https"):
        fetched(address, FETCHING, "image_url")


class Site(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path.startswith("/to/") else 200)
        if self.path.startswith("/to/"):
            self.send_header("location", self.path.removeprefix("/to/"))
        self.end_headers()
        self.wfile.write(b"x" * (1000 if self.path == "/large" else 10))

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def public_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A site whose name leads here, and whose address counts as public in this test; all others do not."""
    server = HTTPServer(("127.0.0.7", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    look_up = socket.getaddrinfo

    def lookup(host: str, *args: object, **kw: object) -> object:
        return look_up("127.0.0.7" if host == "site.example" else host, *args, **kw)  # type: ignore[arg-type]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", lookup)
    monkeypatch.setattr(addresses, "is_public", lambda number: number == "127.0.0.7")
    yield f"http://site.example:{server.server_port}"
    server.shutdown()


def test_what_lies_at_a_public_address_is_fetched_within_bounds(public_site: str) -> None:
    assert fetched(f"{public_site}/small", FETCHING, "image_url") == b"x" * 10
    assert fetched(f"{public_site}/to//small", FETCHING, "image_url") == b"x" * 10
    with pytest.raises(Refused, match="more than 100 bytes"):
        fetched(f"{public_site}/large", FETCHING, "image_url")


def test_a_redirection_leads_to_no_private_address(public_site: str) -> None:
    with pytest.raises(Refused, match="not on the public internet"):
        fetched(f"{public_site}/to/http://127.0.0.1:1/secret", FETCHING, "image_url")
    with pytest.raises(Refused, match="redirections"):
        fetched(f"{public_site}/to//to//to//to//to//small", FETCHING, "image_url")
