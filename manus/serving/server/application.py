"""Which address leads to which endpoint, and what becomes of errors on the way. Knows no endpoint's work."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from manus.errors import InputError
from manus.serving.server import chat_completions, completions, planned, responses, speech, transcriptions
from manus.serving.server.answering import Handler, Service
from manus.serving.server.realtime.endpoint import talk
from manus.serving.server.refusals import FAILED, Refused
from manus.serving.server.streams import Left

LOG = logging.getLogger(__name__)
PAGE = Path(__file__).parent / "page"
POLICY = "default-src 'self'; img-src 'self' data:; media-src 'self' data:; frame-ancestors 'none'"
CLIENT_LEFT = 499
RETRY_SECONDS = "1"


def application(service: Service) -> Starlette:
    """Return the server's addresses; the engine's thread ends with it."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await service.thread.close(0.0)

    middleware = [
        Middleware(
            CORSMiddleware, allow_origins=service.access.origins, allow_methods=["*"], allow_headers=["*"]
        )
    ]
    return Starlette(
        routes=[*_routes(service)],
        lifespan=lifespan,
        middleware=middleware if service.access.origins else [],
        exception_handlers={HTTPException: _unknown},
    )


def _routes(service: Service) -> list[BaseRoute]:
    def post(path: str, handler: Handler) -> Route:
        return Route(path, _guarded(service, handler), methods=["POST"])

    def get(path: str, handler: Handler) -> Route:
        return Route(path, _guarded(service, handler), methods=["GET"])

    return [
        post("/v1/chat/completions", chat_completions.answer),
        post("/v1/completions", completions.answer),
        post("/v1/responses", responses.answer),
        post("/v1/audio/transcriptions", transcriptions.answer),
        post("/v1/audio/speech", speech.answer),
        get("/v1/models", models),
        get("/v1/models/{name:path}", model),
        *(post(path, planned.refusal_of(reason)) for path, reason in planned.REASONS.items()),
        WebSocketRoute("/v1/realtime", partial(talk, service=service)),
        get("/health", health),
        get("/metrics", metrics),
        get("/", page),
        Mount("/page", StaticFiles(directory=PAGE, check_dir=False)),
    ]


def _guarded(service: Service, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a request, and says of every error what its client should know."""

    async def endpoint(request: Request) -> Response:
        path = request.scope["route"].path
        try:
            service.access.check(request.url.path, request.headers)
            answer = await handler(request, service)
        except Refused as refused:
            headers = {"retry-after": RETRY_SECONDS} if refused.status in (429, 503) else {}
            answer = JSONResponse(refused.body, refused.status, headers)
        except InputError as error:
            answer = JSONResponse(Refused(str(error)).body, 400)
        except Left:
            answer = Response(status_code=CLIENT_LEFT)
        except Exception:
            LOG.exception("%s failed", path)
            answer = JSONResponse(Refused(FAILED, status=500).body, 500)
        service.metrics.requests.labels(path, str(answer.status_code)).inc()
        return answer

    return endpoint


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = "is not an address of this server" if error.status_code == 404 else str(error.detail).lower()
    refused = Refused(f"{request.method} {request.url.path[:200]}: {said}", status=error.status_code)
    return JSONResponse(refused.body, error.status_code, error.headers)


def _described(service: Service) -> dict[str, object]:
    hosted = service.hosted
    return {
        "id": hosted.name,
        "object": "model",
        "created": service.began,
        "owned_by": "manus",
        "max_model_len": hosted.context,
        "senses": ["text", *sorted(hosted.senses)],
        "voices": [] if hosted.voice is None else list(hosted.voice.voices),
    }


async def models(request: Request, service: Service) -> Response:
    """List the one model that is here."""
    return JSONResponse({"object": "list", "data": [_described(service)]})


async def model(request: Request, service: Service) -> Response:
    """Describe the model.

    Raises:
        Refused: it is another one.
    """
    if (name := request.path_params["name"]) != service.hosted.name:
        raise Refused(
            f"the model {name[:100]!r} is not here", status=404, param="model", code="model_not_found"
        )
    return JSONResponse(_described(service))


async def health(request: Request, service: Service) -> Response:
    """Say that the server answers."""
    if service.thread.is_lost:
        return JSONResponse({"status": "the engine is lost"}, 503)
    if service.thread.is_closing:
        return JSONResponse({"status": "stopping"}, 503)
    return JSONResponse({"status": "ok"})


async def metrics(request: Request, service: Service) -> Response:
    """Give Prometheus its numbers."""
    return Response(service.metrics.page(), media_type="text/plain; version=0.0.4")


async def page(request: Request, service: Service) -> Response:
    """Show the chat."""
    return FileResponse(PAGE / "index.html", headers={"content-security-policy": POLICY})
