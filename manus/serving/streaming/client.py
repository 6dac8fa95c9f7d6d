"""Asks a server as any client does: over a socket, at once or by server-sent events. Loads nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

from httpx2 import Client, HTTPError, Response

from manus.errors import ManusError
from manus.serving.events import events_of
from manus.serving.streaming.equality import Said
from manus.serving.streaming.latency import Arrivals
from manus.serving.streaming.questions import Conversation

TIMEOUT_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """How answers are drawn; temperature 0 takes the likeliest token."""

    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0


class Asking:
    """A client of one server."""

    def __init__(self, address: str) -> None:
        # Nothing of the environment: a proxy that is set there does not know this machine's own addresses.
        self.client = Client(base_url=f"{address}/v1/", timeout=TIMEOUT_SECONDS, trust_env=False)

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()

    def at_once(self, asked: Conversation, wanted: Wanted) -> Said:
        """Ask, and wait for the whole answer.

        Raises:
            ManusError: the server refuses or fails.
        """
        try:
            answer = self.client.post("chat/completions", json=_body(asked, wanted))
        except HTTPError as error:
            raise ManusError(f"the server did not answer: {error or type(error).__name__}") from None
        _check(answer)
        told = answer.json()
        (choice,) = told["choices"]
        message = choice["message"]
        return Said(
            message["content"] or "",
            message.get("reasoning_content") or "",
            told["usage"]["completion_tokens"],
            choice["finish_reason"],
        )

    def streamed(
        self, asked: Conversation, wanted: Wanted, begin: Barrier | None = None
    ) -> tuple[Said, Arrivals]:
        """Ask, and take the pieces as they come; where others ask as well, all wait for each other first.

        Raises:
            ManusError: the server refuses or fails, before or amid the stream.
        """
        body = {**_body(asked, wanted), "stream": True, "stream_options": {"include_usage": True}}
        if begin is not None:
            begin.wait()
        began, text, thought, finish, tokens = time.perf_counter(), "", "", None, 0
        pieces: list[float] = []
        try:
            with self.client.stream("POST", "chat/completions", json=body) as answer:
                _check(answer)
                for event in _events(answer):
                    now = time.perf_counter()
                    tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
                    for choice in event["choices"]:
                        said, thinks = (
                            choice["delta"].get(name) or "" for name in ("content", "reasoning_content")
                        )
                        text, thought = text + said, thought + thinks
                        finish = choice["finish_reason"] or finish
                        if said or thinks:
                            pieces.append(now)
        except HTTPError as error:
            raise ManusError(f"the stream broke off: {error or type(error).__name__}") from None
        arrivals = Arrivals(began, tuple(pieces), time.perf_counter(), tokens)
        return Said(text, thought, tokens, finish), arrivals

    def side_by_side(self, asked: Sequence[Conversation], wanted: Wanted) -> list[Arrivals]:
        """Ask all at the same moment and take their streams side by side."""
        begin = Barrier(len(asked))
        with ThreadPoolExecutor(len(asked)) as pool:
            running = [pool.submit(self.streamed, one, wanted, begin) for one in asked]
            return [one.result()[1] for one in running]


def _body(asked: Conversation, wanted: Wanted) -> dict[str, Any]:
    return {
        "messages": asked,
        "max_tokens": wanted.max_new_tokens,
        "temperature": wanted.temperature,
        "top_p": 1.0,
        "top_k": 0,
        "seed": wanted.seed,
    }


def _check(answer: Response) -> None:
    if not answer.is_success:
        answer.read()
        raise ManusError(
            f"the server refuses a question with status {answer.status_code}: {answer.text[:500]}"
        )


def _events(answer: Response) -> Iterator[dict[str, Any]]:
    for event in events_of(answer.iter_lines()):
        if "error" in event:
            raise ManusError(f"the server ends a stream: {event['error']['message']}")
        yield event
