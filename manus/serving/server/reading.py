"""Reads requests: bounded in size, strict in what they hold. Knows no endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from manus.serving.server.refusals import Refused, refused_by
from manus.settings.frozen import Frozen

Body = TypeVar("Body", bound=Frozen)
READ_SECONDS = 60.0


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return a request's body.

    Raises:
        Refused: it is larger than allowed, or its sender is gone.
    """
    found = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for block in request.stream():
                found += block
                if len(found) > most_bytes:
                    raise Refused(
                        f"the request is larger than {most_bytes:,} bytes", status=413, code="too_large"
                    )
    except TimeoutError:
        raise Refused(f"the request did not arrive within {READ_SECONDS:g} s", status=408) from None
    except ClientDisconnect:
        raise Refused("the request broke off", status=400) from None
    return bytes(found)


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
