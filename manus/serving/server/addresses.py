"""Fetches media from the internet if allowed: never from this machine or its neighbours; size, time bounded.

A name is looked up once and that very address is asked, so it cannot point elsewhere between the check and
the request.
"""

from __future__ import annotations

import ipaddress
import socket
import time

from httpx2 import URL, Client, HTTPError, InvalidURL

from manus.serving.server.limits import Limits
from manus.serving.server.refusals import Refused

MOST_REDIRECTS = 3
BLOCK_BYTES = 1 << 16


def fetched(address: str, limits: Limits, param: str) -> bytes:
    """Return what lies at an address.

    Raises:
        Refused: the server fetches nothing, the address is not public, or there is no fit answer.
    """
    if not limits.may_fetch:
        raise Refused(
            f"{param}: this server fetches no addresses; send the medium as a data: URL "
            "(whoever runs the server can allow it with --fetch-media)",
            param=param,
            code="fetching_not_allowed",
        )
    deadline = time.monotonic() + limits.fetch_seconds
    try:
        with Client(follow_redirects=False, timeout=limits.fetch_seconds, trust_env=False) as client:
            url = URL(address)
            for _ in range(MOST_REDIRECTS + 1):
                pinned, headers, extensions = _pinned(url, param)
                with client.stream("GET", pinned, headers=headers, extensions=extensions) as answer:
                    if answer.has_redirect_location:
                        url = url.join(answer.headers["location"])
                        continue
                    answer.raise_for_status()
                    found = bytearray()
                    for block in answer.iter_bytes(BLOCK_BYTES):
                        found += block
                        if len(found) > limits.fetch_bytes:
                            raise Refused(
                                f"{param}: more than {limits.fetch_bytes:,} bytes at the address", param=param
                            )
                        if time.monotonic() > deadline:
                            raise Refused(
                                f"{param}: not fetched within {limits.fetch_seconds:g} s", param=param
                            )
                    return bytes(found)
            raise Refused(f"{param}: more than {MOST_REDIRECTS} redirections", param=param)
    except (HTTPError, InvalidURL) as error:
        raise Refused(f"{param}: cannot be fetched: {type(error).__name__}", param=param) from None


def _pinned(url: URL, param: str) -> tuple[URL, dict[str, str], dict[str, str]]:
    """Return an address with its host as a number that was looked at, and what still tells its name."""
    if url.scheme not in ("http", "https") or not url.host:
        raise Refused(f"{param}: only http and https addresses are fetched", param=param)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise Refused(f"{param}: the host of the address is not known", param=param) from None
    if not all(is_public(number) for number in found):
        raise Refused(f"{param}: the address is not on the public internet", param=param)
    number = min(found)
    return url.copy_with(host=number), {"host": url.netloc.decode()}, {"sni_hostname": url.host}


def is_public(number: str) -> bool:
    """Tell whether an IP address belongs to the public internet; one that wraps a private one does not."""
    address = ipaddress.ip_address(number.split("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if address in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and not address.is_multicast
