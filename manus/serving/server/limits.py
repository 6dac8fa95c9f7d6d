"""What a server takes on at most. Knows nothing of how it is held to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server; a request beyond them is refused by name."""

    body_bytes: int = 32 << 20
    all_bodies_bytes: int = (
        256 << 20
    )  # of requests that are read or prepared, together; more are told to come again (429)
    session_bytes: int = 64 << 20  # of what a realtime session keeps: texts, decoded pictures and sounds
    media: int = 16  # pictures, sounds and videos in one request
    places: int = 16  # answers that are made side by side
    waiting: int = 128  # answers that wait for a place; more are told to come again (429)
    choices: int = 8  # `n` of one request
    new_tokens: int = 16_384  # of one answer
    default_tokens: int = 1024  # of an answer whose request names no limit
    answer_seconds: float = 600.0
    closing_seconds: float = 30.0  # that running answers have when the server is told to stop
    fetch_seconds: float = 15.0
    fetch_bytes: int = 32 << 20
    may_fetch: bool = False  # media from addresses on the internet
