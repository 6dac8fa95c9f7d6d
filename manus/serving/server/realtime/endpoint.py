"""`/v1/realtime`: opens a WebSocket for who may ask, and gives its events to a session."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from manus.serving.server.answering import Service
from manus.serving.server.realtime.session import Talk
from manus.serving.server.refusals import Refused

PROTOCOL = "realtime"
REFUSED = 1008  # policy violation
MOST_SESSIONS = 64


async def talk(socket: WebSocket, service: Service) -> None:
    """Hold one session, until its client leaves."""
    try:
        service.access.check(socket.url.path, socket.headers)
        model = socket.query_params.get("model")
        if model and model != service.hosted.name:
            raise Refused(f"the model {model[:100]!r} is not here; this server has {service.hosted.name!r}")
        if service.sessions >= MOST_SESSIONS:
            raise Refused(f"{MOST_SESSIONS} sessions are open; try again later")
    except Refused as refused:
        await socket.close(REFUSED, refused.message[:120])
        return
    await socket.accept(PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", ()) else None)
    writing = asyncio.Lock()

    async def send(event: dict[str, Any]) -> None:
        async with writing:
            await socket.send_text(json.dumps(event, ensure_ascii=False).encode(errors="replace").decode())

    session = Talk(service, send)
    service.sessions += 1
    try:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await session.begin()
            while True:
                await session.take(await socket.receive_text())
    finally:
        service.sessions -= 1
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await session.end()
