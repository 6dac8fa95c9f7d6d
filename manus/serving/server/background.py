"""Runs the server in a thread of this process, for as long as it is asked. Knows no endpoint."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from manus.errors import ManusError
from manus.serving.server.answering import Service
from manus.serving.server.running import Server, listening_at

LOOPBACK = "127.0.0.1"
STOPPING_SECONDS = 60.0


@contextmanager
def in_background(service: Service) -> Iterator[str]:
    """Answer at a free port of this machine; yield the address, and stop when the block ends.

    Raises:
        ManusError: the server does not start, or does not stop.
    """
    opened = listening_at(LOOPBACK, 0)
    server = Server(service)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[opened])), daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise ManusError("the server did not start; the lines above say why")
            time.sleep(0.01)
        yield f"http://{LOOPBACK}:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(STOPPING_SECONDS)
        opened.close()
    if thread.is_alive():
        raise ManusError(f"the server did not stop within {STOPPING_SECONDS:g} s")
