"""A server under many streams and nonsense: nothing lost, mixed up, starved or left behind, no 5xx."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from openai import AsyncOpenAI

from manus.serving.server.answering import Service
from manus.serving.server.limits import Limits
from tests.pico import TRIPLES
from tests.seeds import SEED
from tests.unit.serving.server.serving import running

STREAMS = 100
REQUESTS = int(os.environ.get("MANUS_FUZZ_REQUESTS", "300"))
WARM = 1000  # requests after which a server has grown to what it is
MOST_GROWTH_BYTES = 60 << 20
PATHS = ("chat/completions", "completions", "responses", "audio/transcriptions", "embeddings", "models/x")
WORDS = (
    "last of 1 2 3",
    "",
    "\x00",
    "<think>",
    "<tool_call>",
    "🦜" * 50,
    "data:image/png;base64,AAAA",
    "x" * 900,
)
NAMES = (
    "model", "messages", "prompt", "input", "role", "content", "stream", "n", "stop", "tools", "tool_choice",
    "type", "function", "name", "parameters", "response_format", "json_schema", "schema", "max_tokens",
    "temperature", "top_p", "logprobs", "top_logprobs", "seed", "logit_bias", "user", "image_url", "url",
    "text", "stream_options", "nonsense",
)  # fmt: skip


@pytest.fixture(scope="module")
def served(pico_base: Path) -> Iterator[tuple[str, Service]]:
    with running(pico_base, Limits(places=16, waiting=200, new_tokens=40)) as found:
        yield found


def test_a_hundred_streams_at_once_are_all_answered_each_its_own(served: tuple[str, Service]) -> None:
    triples = random.Random(SEED).sample(TRIPLES, STREAMS)
    order: list[int] = []

    async def one(client: AsyncOpenAI, number: int) -> str:
        asked: Any = [{"role": "user", "content": f"last of {' '.join(map(str, triples[number]))}"}]
        stream = await client.chat.completions.create(model="pico", messages=asked, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        order.append(number)
        return text

    async def all_of_them() -> list[str]:
        async with AsyncOpenAI(
            base_url=f"{served[0]}/v1", api_key="none", max_retries=0, timeout=300
        ) as client:
            return await asyncio.gather(*(one(client, number) for number in range(STREAMS)))

    found = asyncio.run(all_of_them())
    right = sum(
        text == f"The answer is \\boxed{{{c}}}." for text, (_, _, c) in zip(found, triples, strict=True)
    )
    assert right >= 0.95 * STREAMS  # the model knows 97 % of all triples
    assert all(text.startswith("The answer is") for text in found) and sorted(order) == [*range(STREAMS)]
    assert served[1].thread.taken == served[1].thread.failures == 0


def nonsense(draw: random.Random, depth: int = 0) -> Any:
    """Return any JSON, with names and words of the interface in it."""
    kind = draw.randrange(9 if depth < 4 else 6)
    if kind < 2:
        return draw.choice(WORDS)
    if kind < 4:
        return draw.choice([0, 1, -1, 2**70, 0.5, 1e308, 5, 16])
    if kind < 6:
        return draw.choice([None, True, False, "user", "auto", "json_schema", "function"])
    if kind < 7:
        return [nonsense(draw, depth + 1) for _ in range(draw.randrange(3))]
    return {draw.choice(NAMES): nonsense(draw, depth + 1) for _ in range(draw.randrange(4))}


def request(draw: random.Random) -> dict[str, Any]:
    """Return a request that is good but for some of its parts."""
    message = {"role": "user", "content": draw.choice(WORDS)}
    body: dict[str, Any] = {
        "messages": [message],
        "prompt": draw.choice(WORDS),
        "input": draw.choice(WORDS),
        "max_tokens": 4,
    }
    kept = draw.choice([("messages", "max_tokens"), ("prompt", "max_tokens"), ("input",), tuple(body)])
    body = {name: body[name] for name in kept}
    for _ in range(draw.randrange(4)):
        place: Any = draw.choice([body, message])
        place[draw.choice(NAMES)] = nonsense(draw)
    return body


def test_nonsense_is_refused_or_answered_and_nothing_breaks_or_stays(served: tuple[str, Service]) -> None:
    url, service = served
    draw, process, statuses = random.Random(SEED), psutil.Process(), dict[int, int]()
    with httpx2.Client(base_url=f"{url}/v1/", timeout=60) as client:

        def one() -> None:
            content = json.dumps(request(draw)).encode()
            if draw.random() < 0.1:
                content = content[: draw.randrange(len(content))] + draw.randbytes(draw.randrange(4))
            answer = client.post(draw.choice(PATHS[:3] if draw.random() < 0.9 else PATHS), content=content)
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            assert answer.status_code < 500 or answer.status_code == 501, (content, answer.text)
            assert "Traceback" not in answer.text

        warm = min(REQUESTS // 3, WARM)
        for _ in range(warm):
            one()
        before = process.memory_info().rss
        for _ in range(REQUESTS - warm):
            one()
    assert statuses[400] > 0.2 * REQUESTS and statuses[200] > 0.02 * REQUESTS, statuses
    after = process.memory_info().rss
    print(f"{REQUESTS:,} requests: {statuses}, {before >> 20} MB after {warm:,}, {after >> 20} MB in the end")
    assert after - before < MOST_GROWTH_BYTES
    assert service.thread.taken == len(service.thread.running) == service.thread.failures == 0
