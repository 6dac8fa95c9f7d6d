"""Fetches media over the network, if a recipe allows it: limited in size and time. Knows nothing of rows."""

from __future__ import annotations

from collections.abc import Iterator

from manus.data.media.errors import MediaError

LARGEST_BYTES = 500_000_000
TIMEOUT_SECONDS = 30.0
BLOCK_BYTES = 1 << 20


def blocks_of_url(url: str, is_allowed: bool, name: str) -> Iterator[bytes]:
    """Yield what lies at an address, block by block.

    Raises:
        MediaError: it may not be fetched, there is no answer, or it is too large.
    """
    if not is_allowed:
        raise MediaError(f"{name}: an address; media are fetched over the network only with fetch_urls: true")
    from httpx2 import HTTPError, InvalidURL, stream

    size = 0
    try:
        with stream("GET", url, timeout=TIMEOUT_SECONDS, follow_redirects=True) as answer:
            answer.raise_for_status()
            for block in answer.iter_bytes(BLOCK_BYTES):
                size += len(block)
                if size > LARGEST_BYTES:
                    raise MediaError(f"{name}: more than {LARGEST_BYTES:,} bytes")
                yield block
    except (HTTPError, InvalidURL) as error:
        raise MediaError(f"{name}: cannot be fetched: {error or type(error).__name__}") from None
