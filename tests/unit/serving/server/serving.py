"""A server of the pico model in this process, as real clients ask it: over a socket of this machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manus.serving.hosted import Hosted
from manus.serving.server.access import Access
from manus.serving.server.answering import Service
from manus.serving.server.limits import Limits
from manus.serving.server.running import Server, listening_at, service_of


@contextmanager
def running(
    folder: Path,
    limits: Limits | None = None,
    access: Access | None = None,
    tools_in_system: bool | None = None,
) -> Iterator[tuple[str, Service]]:
    """Serve a model in a thread; yield its address and the service."""
    service = service_of(Hosted.load(folder, "pico", tools_in_system), limits or Limits(), access or Access())
    opened = listening_at("127.0.0.1", 0)
    server = Server(service)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[opened])), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
    try:
        yield f"http://127.0.0.1:{opened.getsockname()[1]}", service
    finally:
        server.should_exit = True
        thread.join(30)
        opened.close()
        assert not thread.is_alive(), "the server did not stop"
