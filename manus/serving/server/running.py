"""Runs the server until it is told to stop. Knows no endpoint."""

from __future__ import annotations

import logging
import secrets
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from manus.errors import InputError, ManusError
from manus.models.generation.engine import Engine
from manus.models.listening.fitness import why_unfit
from manus.serving.hosted import Hosted
from manus.serving.server.access import Access, is_loopback
from manus.serving.server.answering import Service
from manus.serving.server.application import application
from manus.serving.server.constraints import Grammars
from manus.serving.server.engine_thread import EngineThread
from manus.serving.server.limits import Limits
from manus.serving.server.metrics import Metrics
from manus.serving.server.reading import Bodies
from manus.serving.server.refusals import LOST

LARGEST_MESSAGE = 16 << 20  # of a WebSocket
BACKLOG = 512


def service_of(hosted: Hosted, limits: Limits, access: Access) -> Service:
    """Return what answers for a model; its engine's thread runs."""

    def build() -> Engine:
        return Engine(
            hosted.model,
            places=limits.places,
            pad_token_id=int(hosted.tokenizer.pad_token_id),  # type: ignore[arg-type]
        )

    why_late = why_unfit(hosted.model) if hosted.senses else None  # asks the model, so before the thread does
    thread = EngineThread(build, limits.places, limits.waiting)
    bodies = Bodies(limits.all_bodies_bytes)
    return Service(
        hosted, thread, limits, Grammars(hosted), Metrics(thread), access, bodies, why_late=why_late
    )


def access_to(host: str, key: str | None, origins: tuple[str, ...] = ()) -> Access:
    """Return who may ask a server that listens at an address.

    Raises:
        InputError: others than this machine reach it, and there is no key.
    """
    if key is None and not is_loopback(host):
        raise InputError(
            f"--host {host}: other machines reach it, so clients need a key; put one into MANUS_SERVE_KEY, "
            f"such as {secrets.token_urlsafe(24)}"
        )
    if key is not None and not (key.strip() and key.isascii()):
        raise InputError("the key of MANUS_SERVE_KEY is empty or not plain ASCII")
    return Access(None if key is None else key.strip(), origins)


def listening_at(host: str, port: int) -> socket.socket:
    """Return an open socket; port 0 takes a free one.

    Raises:
        InputError: the address cannot be listened at.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        raise InputError(
            f"cannot listen at {host} port {port}: {error.strerror}; choose another with --port"
        ) from None
    return opened


class Server(uvicorn.Server):
    """Uvicorn's, but told to stop it first lets the engine end its answers, and refuses new ones meanwhile.

    Told a second time it does not wait for them; when the engine is lost it ends by itself.
    """

    def __init__(self, service: Service, **settings: Any) -> None:
        limits = service.limits
        super().__init__(
            uvicorn.Config(
                application(service),
                http="h11",
                ws="websockets-sansio",
                log_level="warning",
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                ws_max_size=LARGEST_MESSAGE,
                timeout_graceful_shutdown=round(limits.closing_seconds) + 2,
                **settings,
            )
        )
        self.service, self.is_urgent = service, False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note that a signal asks to stop."""
        self.is_urgent = self.should_exit
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Tell whether it is time to end."""
        return await super().on_tick(counter) or self.service.thread.is_lost

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let running answers end, then close what is open."""
        await self.service.thread.close(self.service.limits.closing_seconds, lambda: self.is_urgent)
        await super().shutdown(sockets=sockets)


def serve(
    folder: Path,
    name: str,
    host: str,
    port: int,
    limits: Limits,
    access: Access,
    tools_in_system: bool | None,
) -> None:
    """Serve a model until a signal comes; the first one lets running answers end, a second one does not.

    Args:
        folder: of the model.
        name: what clients call it.
        host: the address to listen at.
        port: 0 takes a free one.
        limits: what is taken on at most.
        access: who may ask.
        tools_in_system: where functions are shown to the model; None finds out.

    Raises:
        InputError: the model or the address cannot be used.
        ManusError: the engine is lost; what it died of is logged.
    """
    opened = listening_at(host, port)
    hosted = Hosted.load(folder, name, tools_in_system)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    place = f"http://{f'[{host}]' if ':' in host else host}:{opened.getsockname()[1]}"
    takes = ", ".join(["text", *sorted(hosted.senses)])
    print(f"{name} (takes {takes}) answers at {place}/v1", flush=True)
    print(f"a page to talk with it: {place}/", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them once more when all has ended well
        signal.signal(number, lambda *_: None)
    service = service_of(hosted, limits, access)
    with opened:
        Server(service).run(sockets=[opened])
    if service.thread.is_lost:
        raise ManusError(LOST)
