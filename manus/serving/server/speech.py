"""`/v1/audio/speech`: says a text, if the model speaks; the sound leaves while it is made."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from manus.data.media.encoding import FORMATS, Sink, SoundWriter
from manus.models.speech.voice import Voice, Waves
from manus.serving.server.answering import Service
from manus.serving.server.reading import parsed
from manus.serving.server.refusals import Refused
from manus.serving.server.streams import HEADERS, at_once, event_stream
from manus.settings.frozen import Frozen

NOT_BUILT = {"instructions": "a voice has one way to speak", "language": "the voice says what it reads"}
LONGEST_TEXT = 4096  # as OpenAI's interface has it


class SpeechRequest(Frozen):
    """The body of a request."""

    input: str = Field(min_length=1, max_length=LONGEST_TEXT)
    voice: str = Field(max_length=200)
    model: str = ""
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: float = Field(1.0, ge=1, le=1)
    stream_format: Literal["audio", "sse"] = "audio"


async def answer(request: Request, service: Service) -> Response:
    """Answer one request."""
    voice = service.hosted.voice
    if voice is None:
        raise Refused("this model does not speak", status=501, code="no_sense")
    async with service.bodies.read(request, service.limits.body_bytes) as body:
        asked = parsed(SpeechRequest, body, NOT_BUILT)
    if asked.model and asked.model != service.hosted.name:
        raise Refused(
            f"the model {asked.model[:100]!r} is not here", 404, param="model", code="model_not_found"
        )
    if asked.voice not in voice.voices:
        raise Refused(f"voice: {asked.voice[:100]!r} is none of {', '.join(voice.voices)}", param="voice")
    if asked.stream_format == "sse":
        return await event_stream(_events(_said(service, voice, asked)), is_named=True)
    pieces = _said(service, voice, asked)
    media_type = FORMATS[asked.response_format].media_type
    if asked.response_format == "wav":  # its head says how long it is, so it is sent when it is whole
        return Response(b"".join(await at_once(request, pieces)), media_type=media_type)
    first = await anext(pieces)  # what fails before it is an answer of its own

    async def written() -> AsyncIterator[bytes]:
        async with contextlib.aclosing(pieces) as rest:  # type: ignore[type-var]
            yield first
            async for piece in rest:
                yield piece

    return StreamingResponse(written(), media_type=media_type, headers=HEADERS)


async def _said(service: Service, voice: Voice, asked: SpeechRequest) -> AsyncIterator[bytes]:
    """Yield the bytes of the file, bit by bit: speakers take turns at a piece of sound each."""
    sink: Any = Sink()
    writer = SoundWriter(sink, asked.response_format, voice.sample_rate)
    made: Iterator[Waves] = voice.stream(asked.input, asked.voice)
    while True:
        async with service.speaking:
            waves_S = await asyncio.to_thread(next, made, None)
        if waves_S is None:
            break
        writer.add(waves_S)
        if piece := sink.taken():
            yield piece
    writer.end()
    if piece := sink.taken():
        yield piece


async def _events(pieces: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    async for piece in pieces:
        yield {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    yield {"type": "speech.audio.done", "usage": usage}
