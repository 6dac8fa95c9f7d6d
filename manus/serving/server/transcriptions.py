"""`/v1/audio/transcriptions`: writes down what a sound says, if the model hears; long sounds in pieces."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from typing import Any, Literal

from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from manus.data.forms.captions import ASKED_OF
from manus.data.media.errors import MediaError
from manus.data.media.sound import decode_sound, measure_sound
from manus.serving.server.answering import Counted, Delta, Drawn, Service, Wish, deltas_of
from manus.serving.server.refusals import Refused, refused_by
from manus.serving.server.streams import at_once, event_stream
from manus.settings.frozen import Frozen

NOT_BUILT = {
    "timestamp_granularities[]": "this model tells no times",
    "chunking_strategy": "long sounds are cut by length",
    "include[]": "only the text is told",
    "known_speaker_names[]": "this model tells no speakers apart",
    "known_speaker_references[]": "this model tells no speakers apart",
    "keywords[]": "say them in 'prompt'",
    "languages[]": "use 'language'",
}
MOST_PIECES = 64
MOST_FIELDS = 32


class TranscriptionRequest(Frozen):
    """The fields of a form, its file apart; numbers come as text."""

    model: str = ""
    language: str | None = Field(None, max_length=64)
    prompt: str | None = Field(None, max_length=2000)
    response_format: Literal["json", "text"] = "json"
    temperature: str = Field("0", pattern=r"^(0|1|0?\.\d+|[01]\.\d+)$")
    stream: Literal["true", "false", "True", "False"] = "false"


async def answer(request: Request, service: Service) -> Response:
    """Answer one request."""
    if "audio" not in service.hosted.senses:
        raise Refused("this model does not hear", status=501, code="no_sense")
    asked, wishes = await _prepared(request, service)
    counted = Counted()
    if asked.stream.lower() == "true":
        return await event_stream(_events(deltas_of(service, wishes, counted)), is_named=True)
    text = _joined(await at_once(request, deltas_of(service, wishes, counted)), len(wishes))
    if asked.response_format == "text":
        return PlainTextResponse(f"{text}\n")
    usage = {"type": "tokens", "input_tokens": counted.prompt, "output_tokens": counted.answers}
    return JSONResponse({"text": text, "usage": usage | {"total_tokens": counted.prompt + counted.answers}})


async def _prepared(request: Request, service: Service) -> tuple[TranscriptionRequest, list[Wish]]:
    """Return what a request says, and what the model is asked; neither holds the file, which may be large."""
    async with service.bodies.read(request, service.limits.body_bytes) as body:
        fields, content = await _form(request, body)
        asked = _parsed(fields)
        if asked.model and asked.model != service.hosted.name:
            raise Refused(
                f"the model {asked.model[:100]!r} is not here", 404, param="model", code="model_not_found"
            )
        async with service.preparing:
            return asked, await asyncio.to_thread(wishes_of, service, asked, content)


async def _form(request: Request, body: bytes) -> tuple[dict[str, str], bytes]:
    async def again() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, again).form(max_files=1, max_fields=MOST_FIELDS) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if len(files) != 1 or "file" not in form:
                raise Refused("file: one sound is needed, as a field of a multipart form", param="file")
            return {name: value for name, value in form.items() if isinstance(value, str)}, await files[
                0
            ].read()
    except (MultiPartException, AssertionError, UnicodeDecodeError) as error:
        raise Refused(f"no form can be read from the request: {error}") from None


def _parsed(fields: Mapping[str, str]) -> TranscriptionRequest:
    from pydantic import ValidationError

    for name in fields:
        if name in NOT_BUILT:
            raise Refused(
                f"{name!r} is not supported: {NOT_BUILT[name]}", param=name, code="unsupported_parameter"
            )
    try:
        return TranscriptionRequest.model_validate(dict(fields))
    except ValidationError as error:
        raise refused_by(error, dict(TranscriptionRequest.model_fields)) from None


def wishes_of(service: Service, asked: TranscriptionRequest, content: bytes) -> list[Wish]:
    """Return what the model is asked of each piece of a sound that it can hear at once.

    Raises:
        Refused: the file holds no sound, or too long a one.
    """
    longest = float(service.hosted.layout.longest_audio_seconds)
    question = ASKED_OF["audio"] + (f" It is in {asked.language}." if asked.language else "")
    question += f" {asked.prompt}" if asked.prompt else ""
    try:
        if not content:
            raise MediaError("file: empty, 0 bytes")
        seconds = measure_sound(BytesIO(content), len(content), "file")
        pieces = max(1, math.ceil(seconds / longest - 1e-9))
        if pieces > MOST_PIECES:
            raise Refused(
                f"file: {seconds:.0f} s of sound; up to {MOST_PIECES * longest:.0f} s are heard", param="file"
            )
        sounds = [
            decode_sound(BytesIO(content), "file", n * longest, min(longest, seconds - n * longest))
            for n in range(pieces)
        ]
    except MediaError as error:
        raise Refused(str(error), param="file") from None
    turns = [
        [{"role": "user", "content": [{"type": "audio", "audio": sound}, {"type": "text", "text": question}]}]
        for sound in sounds
    ]
    drawn = Drawn(temperature=float(asked.temperature))
    return [Wish(service.hosted.asked(turn, None), drawn) for turn in turns]


def _joined(found: list[Delta], pieces: int) -> str:
    """Return the words of all pieces of a sound, in their order."""
    said = [
        "".join(
            one.text for delta in found if delta.choice == n for one in delta.pieces if one.kind == "words"
        )
        for n in range(pieces)
    ]
    return " ".join(text.strip() for text in said if text.strip())


async def _events(found: AsyncIterator[Delta]) -> AsyncIterator[dict[str, Any]]:
    """Yield the words as they come; those of a later piece wait until it is their turn."""
    yielded = ""
    so_far: list[Delta] = [await anext(found)]
    over: set[int] = set()
    async for delta in found:
        so_far.append(delta)
        over |= {delta.choice} if delta.finish is not None else set()
        ready = next(n for n in range(len(over) + 1) if n not in over) + 1
        text = _joined(so_far, ready)
        if len(text) > len(yielded):
            yield {"type": "transcript.text.delta", "delta": text[len(yielded) :]}
            yielded = text
    yield {"type": "transcript.text.done", "text": yielded}
