"""`/v1/chat/completions`: conversations with text, media and functions, at once or streamed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from manus.serving.server.answering import Counted, Delta, Drawn, Service, Wish, deltas
from manus.serving.server.constraints import both, of_calls, of_json
from manus.serving.server.media import MediaDesk
from manus.serving.server.messages import FunctionTool, Message, as_functions, for_model
from manus.serving.server.pieces import Piece
from manus.serving.server.reading import parsed, some
from manus.serving.server.refusals import Refused
from manus.serving.server.sampling import Sampling
from manus.serving.server.streams import at_once, event_stream
from manus.settings.frozen import Frozen

NOT_BUILT = {
    "functions": "use 'tools'",
    "function_call": "use 'tool_choice'",
    "audio": "answers here are text; /v1/audio/speech says one, if the model speaks",
    "prediction": "answers are not predicted",
    "web_search_options": "this server does not search the web",
    "verbosity": "models here have no such setting; say it in the system turn",
    "reasoning_effort": "models here have no such setting",
    "moderation": "nothing is moderated here",
    "prompt_cache_options": "there is no cache of prompts to set",
}
ANY_JSON = {"type": "object"}


class JsonSchema(Frozen):
    """A schema that the answer fits; its name and description change nothing."""

    name: str = "answer"
    description: str | None = None
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")
    strict: bool | None = None


class TextFormat(Frozen):
    """Answers are plain text."""

    type: Literal["text"]


class ObjectFormat(Frozen):
    """The answer is some JSON object."""

    type: Literal["json_object"]


class SchemaFormat(Frozen):
    """The answer is JSON of a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


Format = Annotated[TextFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")]


class NamedFunction(Frozen):
    """The name of a function."""

    name: str


class NamedTool(Frozen):
    """The function that must be called."""

    type: Literal["function"]
    function: NamedFunction


class ChatRequest(Sampling):
    """The body of a request."""

    messages: list[Message] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: Format | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    modalities: list[Literal["text", "audio"]] | None = None
    store: bool | None = None

    def refuse_what_is_not_built(self) -> None:
        """Refuse what the interface has and this server does not.

        Raises:
            Refused: the request asks for it.
        """
        if "audio" in (self.modalities or ()):
            raise Refused(
                "answers here are text: modalities can only be ['text']; /v1/audio/speech says one, if the model speaks",
                501,
                "modalities",
            )
        if self.store:
            raise Refused("store: this server keeps nothing", param="store")
        if self.top_logprobs is not None and not self.logprobs:
            raise Refused("top_logprobs: only with logprobs: true", param="top_logprobs")

    @property
    def offered(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The functions that the model is shown, and those of which it must call one.

        Raises:
            Refused: `tool_choice` names a function that is not offered.
        """
        functions = as_functions(self.tools or [])
        choice = self.tool_choice
        if choice == "none":
            return [], []
        if isinstance(choice, NamedTool):
            named = [function for function in functions if function["name"] == choice.function.name]
            if not named:
                raise Refused(
                    f"tool_choice: {choice.function.name!r} is none of the tools", param="tool_choice"
                )
            return functions, named
        if choice is not None and not functions:
            raise Refused("tool_choice: only with tools", param="tool_choice")
        return functions, functions if choice == "required" else []


async def answer(request: Request, service: Service) -> Response:
    """Answer one request."""
    wish, shape = await _prepared(request, service)
    counted = Counted()
    if shape.is_streamed:
        return await event_stream(shape.chunks(deltas(service, wish, counted), counted))
    found = await at_once(request, deltas(service, wish, counted))
    return JSONResponse(shape.whole(found, counted))


async def _prepared(request: Request, service: Service) -> tuple[Wish, Shape]:
    """Return what a request asks, and how it is answered; neither holds the request, which may be large."""
    async with service.bodies.read(request, service.limits.body_bytes) as body:
        asked = await asyncio.to_thread(parsed, ChatRequest, body, NOT_BUILT)
        asked.check(service)
        service.thread.check_room(asked.n or 1)
        async with service.preparing:
            return await asyncio.to_thread(wish_of, asked, service), Shape(service.hosted.name, asked)


def wish_of(asked: ChatRequest, service: Service) -> Wish:
    """Return what a request puts to the model.

    Raises:
        Refused: it cannot be put to it.
        InputError: the chat template refuses it.
    """
    asked.refuse_what_is_not_built()
    functions, forced = asked.offered
    desk = MediaDesk(service.hosted.senses, service.hosted.layout.check_heard, service.limits)
    try:
        put = for_model(service.hosted, asked.messages, functions, desk)
    finally:
        desk.close()
    grammar = _grammar(asked, forced, bool(put.thought))
    weighed = asked.weighed(service)
    if grammar is not None:
        service.grammars.limit(*grammar)  # so that it is refused before anything is streamed
    wanted = asked.max_completion_tokens or asked.max_tokens
    return Wish(
        put,
        Drawn(wanted, asked.temperature, asked.top_p, asked.top_k, asked.seed),
        asked.n or 1,
        asked.stops,
        bool(functions),
        False,
        (asked.top_logprobs or 0) if asked.logprobs else None,
        lambda: both(weighed, None if grammar is None else service.grammars.limit(*grammar)),
    )


def _grammar(
    asked: ChatRequest, forced: Sequence[Mapping[str, Any]], opens_thought: bool
) -> tuple[str, str] | None:
    """Return the grammar that an answer must follow, and the parameter that says so."""
    form = asked.response_format
    if forced:
        return of_calls(forced, asked.parallel_tool_calls is not False, opens_thought), "tools"
    if isinstance(form, SchemaFormat):
        return of_json(form.json_schema.schema_, "response_format", opens_thought), "response_format"
    if isinstance(form, ObjectFormat):
        return of_json(ANY_JSON, "response_format", opens_thought), "response_format"
    return None


class Shape:
    """What answers look like to clients of this endpoint."""

    def __init__(self, model: str, asked: ChatRequest) -> None:
        self.choices, self.has_logprobs = asked.n or 1, bool(asked.logprobs)
        self.is_streamed = bool(asked.stream)
        self.has_usage = asked.stream_options is not None and bool(asked.stream_options.include_usage)
        self.head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": model}
        self.calls: dict[int, int] = {}  # by choice, how many were told

    def whole(self, found: Sequence[Delta], counted: Counted) -> dict[str, Any]:
        """Return the answers that were given at once."""
        choices = [self._choice(number, found) for number in range(self.choices)]
        return {**self.head, "object": "chat.completion", "choices": choices, "usage": counted.usage}

    def _choice(self, number: int, found: Sequence[Delta]) -> dict[str, Any]:
        own = [delta for delta in found if delta.choice == number]
        pieces = [piece for delta in own for piece in delta.pieces]
        said = {
            kind: "".join(one.text for one in pieces if one.kind == kind) for kind in ("thought", "words")
        }
        calls = [self._call(piece) for piece in pieces if piece.kind == "call"]
        message = {
            "role": "assistant",
            "content": said["words"] if said["words"] or not calls else None,
            "refusal": None,
            **some({"reasoning_content": said["thought"] or None, "tool_calls": calls or None}),
        }
        told = [one for delta in own for one in delta.logprobs]
        logprobs = {"content": told, "refusal": None} if self.has_logprobs else None
        finish = next(delta.finish for delta in own if delta.finish is not None)
        return {"index": number, "message": message, "logprobs": logprobs, "finish_reason": finish}

    async def chunks(self, found: AsyncIterator[Delta], counted: Counted) -> AsyncIterator[dict[str, Any]]:
        """Yield the answers as a stream has them."""

        def chunk(
            choice: int, delta: dict[str, Any], logprobs: Any = None, finish: str | None = None
        ) -> dict[str, Any]:
            choices = [{"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": finish}]
            usage = {"usage": None} if self.has_usage else {}
            return {**self.head, "object": "chat.completion.chunk", "choices": choices, **usage}

        await anext(found)
        for number in range(self.choices):
            yield chunk(number, {"role": "assistant", "content": "", "refusal": None})
        async for delta in found:
            logprobs = {"content": list(delta.logprobs), "refusal": None} if self.has_logprobs else None
            for place, piece in enumerate(delta.pieces):
                is_last = place == len(delta.pieces) - 1
                yield chunk(delta.choice, self._said(piece, delta.choice), logprobs if is_last else None)
            if delta.finish is not None:
                yield chunk(delta.choice, {}, logprobs if not delta.pieces else None, delta.finish)
        if self.has_usage:
            yield {**self.head, "object": "chat.completion.chunk", "choices": [], "usage": counted.usage}

    def _said(self, piece: Piece, choice: int) -> dict[str, Any]:
        if piece.kind != "call":
            return {"content" if piece.kind == "words" else "reasoning_content": piece.text}
        place = self.calls.setdefault(choice, 0)
        self.calls[choice] += 1
        return {"tool_calls": [{"index": place, **self._call(piece)}]}

    @staticmethod
    def _call(piece: Piece) -> dict[str, Any]:
        function = {"name": piece.name, "arguments": piece.text}
        return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
