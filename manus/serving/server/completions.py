"""`/v1/completions`: goes on with bare texts, at once or streamed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from manus.serving.hosted import Asked
from manus.serving.server.answering import Counted, Delta, Drawn, Service, Wish, deltas_of
from manus.serving.server.reading import parsed
from manus.serving.server.refusals import Refused
from manus.serving.server.sampling import Sampling
from manus.serving.server.streams import at_once, event_stream

NOT_BUILT = {
    "best_of": "use 'n'",
    "echo": "the prompt is not given back",
    "suffix": "models here do not write towards an end",
}
DEFAULT_TOKENS = 16  # as OpenAI's interface has it
MOST_PROMPTS = 8

Ids = Annotated[list[int], Field(min_length=1)]


class CompletionRequest(Sampling):
    """The body of a request: a text or several, or tokens of one or of several."""

    prompt: str | list[str] | Ids | list[Ids]
    max_tokens: int | None = Field(DEFAULT_TOKENS, ge=1)
    logprobs: int | None = Field(None, ge=0, le=20)

    def prompts(self, service: Service) -> list[list[int]]:
        """Return the tokens of each prompt.

        Raises:
            Refused: there is none, there are too many, or a number is no token.
        """
        given: list[Any] = [self.prompt] if isinstance(self.prompt, str) else list(self.prompt)
        if given and isinstance(given[0], int):
            given = [given]
        if not 1 <= len(given) <= MOST_PROMPTS:
            raise Refused(f"prompt: from 1 to {MOST_PROMPTS} texts", param="prompt")
        rows = [service.hosted.tokens(one) if isinstance(one, str) else one for one in given]
        if any(not 0 <= token < service.hosted.vocabulary for row in rows for token in row):
            raise Refused("prompt: a number is no token of this model", param="prompt")
        return rows


async def answer(request: Request, service: Service) -> Response:
    """Answer one request."""
    wishes, shape = await _prepared(request, service)
    counted = Counted()
    if shape.is_streamed:
        return await event_stream(shape.chunks(deltas_of(service, wishes, counted), counted))
    return JSONResponse(shape.whole(await at_once(request, deltas_of(service, wishes, counted)), counted))


async def _prepared(request: Request, service: Service) -> tuple[list[Wish], Shape]:
    """Return what a request asks, and how it is answered; neither holds the request, which may be large."""
    async with service.bodies.read(request, service.limits.body_bytes) as body:
        asked = await asyncio.to_thread(parsed, CompletionRequest, body, NOT_BUILT)
        asked.check(service)
        rows = await asyncio.to_thread(asked.prompts, service)
        weighed = asked.weighed(service)
        wishes = [
            Wish(
                Asked(row, {}, ""),
                Drawn(asked.max_tokens, asked.temperature, asked.top_p, asked.top_k, asked.seed),
                asked.n or 1,
                asked.stops,
                is_plain=True,
                top_logprobs=asked.logprobs,
                limit=lambda: weighed,
            )
            for row in rows
        ]
        return wishes, Shape(service.hosted.name, asked, len(wishes) * (asked.n or 1))


class Shape:
    """What answers look like to clients of this endpoint."""

    def __init__(self, model: str, asked: CompletionRequest, choices: int) -> None:
        self.choices, self.has_logprobs = choices, asked.logprobs is not None
        self.is_streamed = bool(asked.stream)
        self.has_usage = asked.stream_options is not None and bool(asked.stream_options.include_usage)
        self.head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }

    def whole(self, found: Sequence[Delta], counted: Counted) -> dict[str, Any]:
        """Return the answers that were given at once."""
        choices = []
        for number in range(self.choices):
            own = [delta for delta in found if delta.choice == number]
            text = "".join(piece.text for delta in own for piece in delta.pieces)
            told = [one for delta in own for one in delta.logprobs]
            finish = next(delta.finish for delta in own if delta.finish is not None)
            choices.append(self._choice(number, text, told, finish))
        return {**self.head, "choices": choices, "usage": counted.usage}

    async def chunks(self, found: AsyncIterator[Delta], counted: Counted) -> AsyncIterator[dict[str, Any]]:
        """Yield the answers as a stream has them."""
        await anext(found)
        async for delta in found:
            text = "".join(piece.text for piece in delta.pieces)
            yield {**self.head, "choices": [self._choice(delta.choice, text, delta.logprobs, delta.finish)]}
        if self.has_usage:
            yield {**self.head, "choices": [], "usage": counted.usage}

    def _choice(
        self, number: int, text: str, told: Sequence[dict[str, Any]], finish: str | None
    ) -> dict[str, Any]:
        logprobs = None
        if self.has_logprobs:
            logprobs = {
                "tokens": [one["token"] for one in told],
                "token_logprobs": [one["logprob"] for one in told],
                "top_logprobs": [
                    {top["token"]: top["logprob"] for top in one["top_logprobs"]} for one in told
                ],
            }
        return {"index": number, "text": text, "logprobs": logprobs, "finish_reason": finish}
