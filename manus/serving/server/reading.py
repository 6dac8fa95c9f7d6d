"""Reads requests: bounded in size, strict in what they hold. Knows no endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from manus.serving.server.refusals import CROWDED, Refused, refused_by
from manus.settings.frozen import Frozen

Body = TypeVar("Body", bound=Frozen)
READ_SECONDS = 60.0


@dataclass
class Bodies:
    """What clients send, while it is held: no request counts for nothing while read, parsed and prepared.

    Only bytes that have come count, so who announces much and sends nothing takes no room from others.
    """

    most_bytes: int
    held: int = 0

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Hold so many bytes more.

        Raises:
            Refused: 429, all together are too many.
        """
        self._add(size)
        try:
            yield
        finally:
            self.held -= size

    @asynccontextmanager
    async def read(self, request: Request, most_bytes: int) -> AsyncIterator[bytes]:
        """Read a request's body, and hold its bytes while what is inside prepares an answer.

        Raises:
            Refused: it is larger than allowed, all together are, it comes too slowly, or its sender is gone.
        """
        found, size = bytearray(), 0
        try:
            if (told := request.headers.get("content-length", "")).isdigit() and int(told) > most_bytes:
                raise _too_large(most_bytes)
            async with asyncio.timeout(READ_SECONDS):
                async for block in request.stream():
                    self._add(len(block))
                    size += len(block)
                    found += block
                    if size > most_bytes:
                        raise _too_large(most_bytes)
            body = bytes(found)
            del found
        except TimeoutError:
            self.held -= size
            raise Refused(f"the request did not arrive within {READ_SECONDS:g} s", status=408) from None
        except ClientDisconnect:
            self.held -= size
            raise Refused("the request broke off", status=400) from None
        except BaseException:
            self.held -= size
            raise
        try:
            yield body
        finally:
            self.held -= size

    def _add(self, size: int) -> None:
        if self.held + size > self.most_bytes:
            raise Refused(CROWDED, status=429, code="too_many_bytes")
        self.held += size


def _too_large(most_bytes: int) -> Refused:
    return Refused(f"the request is larger than {most_bytes:,} bytes", status=413, code="too_large")


def parsed(kind: type[Body], body: bytes, not_built: Mapping[str, str]) -> Body:
    """Return a request as its model describes it.

    Args:
        kind: of the request.
        body: JSON.
        not_built: parameters that OpenAI's interface has and this server refuses, with what to say of each.

    Raises:
        Refused: it is not as it should be; names the parameter.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False):
            name = str(problem["loc"][0]) if problem["loc"] else ""
            if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1 and name in not_built:
                raise Refused(
                    f"{name!r} is not supported: {not_built[name]}", param=name, code="unsupported_parameter"
                ) from None
        raise refused_by(error, dict(kind.model_fields)) from None


def some(values: dict[str, Any]) -> dict[str, Any]:
    """Return what is there, without what is None."""
    return {name: value for name, value in values.items() if value is not None}
