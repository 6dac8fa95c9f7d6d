"""A server of the pico model in this process, as real clients ask it: over a socket of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manus.serving.hosted import Hosted
from manus.serving.server.access import Access
from manus.serving.server.answering import Service
from manus.serving.server.background import in_background
from manus.serving.server.limits import Limits
from manus.serving.server.running import service_of


@contextmanager
def running(
    folder: Path,
    limits: Limits | None = None,
    access: Access | None = None,
    tools_in_system: bool | None = None,
) -> Iterator[tuple[str, Service]]:
    """Serve a model in a thread; yield its address and the service."""
    service = service_of(Hosted.load(folder, "pico", tools_in_system), limits or Limits(), access or Access())
    with in_background(service) as address:
        yield address, service
