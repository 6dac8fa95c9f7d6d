"""Decides who may ask: by key, by the page a browser is on, by the name it calls us. Knows no endpoint."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from manus.serving.server.refusals import Refused

OPEN = ("/health", "/", "/page/")  # asked without a key: they tell nothing of the model
IN_PROTOCOL = "openai-insecure-api-key."  # where browsers put a key for a WebSocket


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask a server.

    Without a key only this machine may, and only by a name of its own: else a page on the internet whose name
    is made to point here could ask through a visitor's browser.
    """

    key: str | None = None
    origins: tuple[str, ...] = ()  # other pages that may ask, as in https://example.org

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """See to it that a request may be answered.

        Raises:
            Refused: 401 without the right key, 403 from a page elsewhere.
        """
        host = headers.get("host", "")
        if self.key is None and not is_here(host):
            raise Refused(
                "without a key this server answers only as localhost", status=403, code="wrong_host"
            )
        origin = headers.get("origin")
        if origin and urlsplit(origin).netloc != host and origin not in self.origins:
            raise Refused("pages of this origin may not ask this server", status=403, code="wrong_origin")
        if self.key is not None and not path.startswith(OPEN[2]) and path not in OPEN[:2]:
            self._check_key(headers)

    def _check_key(self, headers: Mapping[str, str]) -> None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            protocols = [one.strip() for one in headers.get("sec-websocket-protocol", "").split(",")]
            given = next(
                (one.removeprefix(IN_PROTOCOL) for one in protocols if one.startswith(IN_PROTOCOL)), ""
            )
        if not hmac.compare_digest(given.strip().encode(), (self.key or "").encode()):
            raise Refused(
                "the key is missing or wrong: send it as a bearer token", status=401, code="invalid_api_key"
            )


def is_here(host: str) -> bool:
    """Tell whether a host, with or without a port, is a name of this machine for itself."""
    name = urlsplit(f"//{host}").hostname or ""
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)


def is_loopback(address: str) -> bool:
    """Tell whether an address is one that only this machine reaches."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
