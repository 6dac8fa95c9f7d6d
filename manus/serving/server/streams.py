"""Gives answers out: as a stream of server-sent events, or at once for as long as the client is there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from manus.errors import InputError
from manus.serving.server.refusals import FAILED, Refused

LOG = logging.getLogger(__name__)
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
DONE = b"data: [DONE]\n\n"
Item = TypeVar("Item")


class Left(Exception):
    """The client is gone: nobody waits for the answer."""


async def event_stream(events: AsyncIterator[dict[str, Any]], is_named: bool = False) -> Response:
    """Return a stream of events; what fails before the first of them is an answer of its own.

    Args:
        events: JSON objects.
        is_named: whether each is told with its `type` as the event's name and the stream ends without a mark.

    Raises:
        Refused: the first event cannot be made.
    """
    first = await anext(events)

    async def written() -> AsyncIterator[bytes]:
        try:
            yield event(first, is_named)
            async for one in events:
                yield event(one, is_named)
        except (Refused, InputError) as error:
            refused = error if isinstance(error, Refused) else Refused(str(error))
            yield event({"type": "error", **refused.body} if is_named else refused.body, is_named)
        except Exception:
            LOG.exception("a stream failed")
            body = Refused(FAILED, status=500).body
            yield event({"type": "error", **body} if is_named else body, is_named)
        finally:
            await events.aclose()  # type: ignore[attr-defined]
        if not is_named:
            yield DONE

    return StreamingResponse(written(), media_type="text/event-stream", headers=HEADERS)


def event(data: Mapping[str, Any], is_named: bool = False) -> bytes:
    """Return one server-sent event."""
    name = f"event: {data['type']}\n" if is_named else ""
    return f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode(errors="replace")


async def at_once(request: Request, items: AsyncIterator[Item]) -> list[Item]:
    """Return all items; a client that leaves ends their making.

    Raises:
        Left: the client left.
    """

    async def collected() -> list[Item]:
        async with contextlib.aclosing(items) as found:  # type: ignore[type-var]
            return [item async for item in found]

    work, gone = asyncio.create_task(collected()), asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Left
        return work.result()
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
