"""Addresses of OpenAI's interface that no model here can answer yet: 501 and a plain sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manus.serving.server.refusals import Refused

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from manus.serving.server.answering import Handler, Service

REASONS = {
    "/v1/images/generations": "this model draws no pictures",
    "/v1/images/edits": "this model draws no pictures",
    "/v1/audio/translations": "this model translates no speech by itself; ask it in a chat with input_audio",
    "/v1/embeddings": "this model gives no embeddings",
    "/v1/moderations": "this model moderates nothing",
}


def refusal_of(reason: str) -> Handler:
    """Return what answers such an address."""

    async def refuse(request: Request, service: Service) -> Response:
        raise Refused(reason, status=501, code="not_implemented")

    return refuse
