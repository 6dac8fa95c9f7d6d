"""`/v1/responses`: the same answers as chats, in the shape of OpenAI's later interface. Nothing is kept between requests."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from manus.serving.server.answering import Counted, Delta, Service, deltas
from manus.serving.server.chat_completions import ChatRequest, wish_of
from manus.serving.server.pieces import Piece
from manus.serving.server.reading import parsed, read_body, some
from manus.serving.server.streams import at_once, event_stream
from manus.settings.frozen import Frozen

NOT_BUILT = {
    "background": "answers are given while the client waits",
    "background_options": "answers are given while the client waits",
    "conversation": "nothing is kept; send the whole conversation as 'input'",
    "previous_response_id": "nothing is kept; send the whole conversation as 'input'",
    "prompt": "nothing is kept; send the text",
    "moderation": "nothing is moderated here",
    "context_management": "nothing is shortened",
    "image": "this model draws no pictures",
    "access_programs": "there are none",
    "prompt_cache_options": "there is no cache of prompts to set",
    "max_tool_calls": "only functions of the client are called",
}


class InputText(Frozen):
    """Some text."""

    type: Literal["input_text", "output_text", "text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class InputImage(Frozen):
    """A picture."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class InputAudio(Frozen):
    """A sound."""

    type: Literal["input_audio"]
    input_audio: dict[str, str]


InputPart = Annotated[InputText | InputImage | InputAudio, Field(discriminator="type")]


class InputMessage(Frozen):
    """A turn."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[InputPart]
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class InputCall(Frozen):
    """A call that the model made."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: str | None = None


class InputResult(Frozen):
    """What a function gave back."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[InputText]
    id: str | None = None
    status: str | None = None


class InputThought(Frozen):
    """What the model thought before; it is not shown to it again."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: list[Any] | None = None
    content: list[Any] | None = None
    encrypted_content: str | None = None
    status: str | None = None


class FunctionTool(Frozen):
    """A function that may be called."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedTool(Frozen):
    """The function that must be called."""

    type: Literal["function"]
    name: str


class TextSettings(Frozen):
    """What the answer's text must be."""

    format: dict[str, Any] | None = None
    verbosity: None = None


class ReasoningSettings(Frozen):
    """How much is thought; models here have no such setting, so only what says nothing is taken."""

    effort: None = None
    summary: Literal["auto"] | None = None


class StreamOptions(Frozen):
    """What else a stream has."""

    include_obfuscation: bool | None = None


class ResponseRequest(Frozen):
    """The body of a request."""

    model: str = ""
    input: str | list[InputMessage | InputCall | InputResult | InputThought] = Field(min_length=1)
    instructions: str | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_logprobs: Literal[0] | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    text: TextSettings | None = None
    reasoning: ReasoningSettings | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    store: bool | None = (
        None  # nothing is kept: true, the interface's own default, only says that it might be
    )
    include: list[Literal["reasoning.encrypted_content"]] | None = None  # thoughts are open here
    truncation: Literal["disabled"] | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    service_tier: Literal["auto", "default"] | None = None

    def as_chat(self) -> ChatRequest:
        """Return the same request as a chat's."""
        messages = [{"role": "system", "content": self.instructions}] if self.instructions else []
        items: Sequence[Any] = self.input if isinstance(self.input, list) else []
        if isinstance(self.input, str):
            messages.append({"role": "user", "content": self.input})
        for item in items:
            _append(messages, item)
        choice: Any = self.tool_choice
        if isinstance(choice, NamedTool):
            choice = {"type": "function", "function": {"name": choice.name}}
        tools = [
            {"type": "function", "function": tool.model_dump(exclude={"type"})} for tool in self.tools or []
        ]
        form = dict(self.text.format) if self.text is not None and self.text.format is not None else None
        if form is not None and form.get("type") == "json_schema":
            form = {
                "type": "json_schema",
                "json_schema": {key: value for key, value in form.items() if key != "type"},
            }
        body = {
            "model": self.model,
            "messages": messages,
            "max_completion_tokens": self.max_output_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "tools": tools or None,
            "tool_choice": choice,
            "parallel_tool_calls": self.parallel_tool_calls,
            "response_format": form,
        }
        return parsed(ChatRequest, json.dumps(some(body)).encode(), {})


def _append(messages: list[dict[str, Any]], item: Any) -> None:
    """Add an item of the input to a chat's messages; calls that follow each other are one turn's."""
    if isinstance(item, InputCall):
        call = {"id": item.call_id, "function": {"name": item.name, "arguments": item.arguments}}
        if messages and messages[-1]["role"] == "assistant":
            messages[-1].setdefault("tool_calls", []).append(call)
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
    elif isinstance(item, InputResult):
        output = item.output if isinstance(item.output, str) else "\n".join(part.text for part in item.output)
        messages.append({"role": "tool", "tool_call_id": item.call_id, "content": output})
    elif isinstance(item, InputMessage):
        content = item.content if isinstance(item.content, str) else [_part(part) for part in item.content]
        messages.append({"role": item.role, "content": content})


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, InputText):
        return {"type": "text", "text": part.text}
    if isinstance(part, InputImage):
        return {"type": "image_url", "image_url": some({"url": part.image_url, "detail": part.detail})}
    return {"type": "input_audio", "input_audio": part.input_audio}


async def answer(request: Request, service: Service) -> Response:
    """Answer one request."""
    body = await read_body(request, service.limits.body_bytes)
    asked = await asyncio.to_thread(parsed, ResponseRequest, body, NOT_BUILT)
    chat = asked.as_chat()
    chat.check(service)
    service.thread.check_room(1)
    async with service.preparing:
        wish = await asyncio.to_thread(wish_of, chat, service)
    shape, counted = Shape(service.hosted.name, asked), Counted()
    if asked.stream:
        return await event_stream(shape.events(deltas(service, wish, counted), counted), is_named=True)
    for delta in await at_once(request, deltas(service, wish, counted)):
        shape.take(delta)
    return JSONResponse(shape.whole(counted))


class Shape:
    """What an answer looks like to clients of this endpoint: items, which are told of as they begin, grow and end."""

    def __init__(self, model: str, asked: ResponseRequest) -> None:
        self.asked, self.items, self.finish = asked, list[dict[str, Any]](), None
        self.number = -1  # of the last event
        self.head = {
            "id": f"resp_{secrets.token_hex(16)}",
            "object": "response",
            "created_at": time.time(),
            "model": model,
            "instructions": asked.instructions,
            "metadata": asked.metadata or {},
            "temperature": asked.temperature,
            "top_p": asked.top_p,
            "max_output_tokens": asked.max_output_tokens,
            "previous_response_id": None,
            "parallel_tool_calls": asked.parallel_tool_calls is not False,
            "store": False,
            "error": None,
            "tool_choice": asked.model_dump(include={"tool_choice"})["tool_choice"] or "auto",
            "tools": [tool.model_dump() for tool in asked.tools or []],
            "truncation": "disabled",
            "text": {"format": (asked.text.format if asked.text else None) or {"type": "text"}},
        }

    def whole(self, counted: Counted) -> dict[str, Any]:
        """Return the answer that was given at once."""
        is_cut = self.finish == "length"
        usage = {
            "input_tokens": counted.prompt,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": counted.answers,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": counted.prompt + counted.answers,
        }
        return {
            **self.head,
            "status": "incomplete" if is_cut else "completed",
            "output": self.items,
            "usage": usage,
            "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        }

    async def events(self, found: AsyncIterator[Delta], counted: Counted) -> AsyncIterator[dict[str, Any]]:
        """Yield the answer as a stream has it."""
        await anext(found)
        begun = {
            **self.head,
            "status": "in_progress",
            "output": [],
            "usage": None,
            "incomplete_details": None,
        }
        yield self._event("response.created", response=begun)
        yield self._event("response.in_progress", response=begun)
        async for delta in found:
            for one in self.take(delta):
                yield one
        kind = "response.incomplete" if self.finish == "length" else "response.completed"
        yield self._event(kind, response=self.whole(counted))

    def take(self, delta: Delta) -> list[dict[str, Any]]:
        """Add what is new to the items; return what a stream tells of it."""
        told = [one for piece in delta.pieces for one in self._taken(piece)]
        if delta.finish is not None:
            self.finish = delta.finish  # type: ignore[assignment]
            told += self._ended("incomplete" if delta.finish == "length" else "completed")
            if not self.items:  # an answer without a word is still one
                told += [*self._begun("message"), *self._ended("completed")]
        return told

    def _taken(self, piece: Piece) -> list[dict[str, Any]]:
        kind = {"thought": "reasoning", "words": "message", "call": "function_call"}[piece.kind]
        told: list[dict[str, Any]] = []
        if not self.items or self.items[-1]["type"] != kind or kind == "function_call":
            told += [*self._ended("completed"), *self._begun(kind, piece.name)]
        item = self.items[-1]
        if kind == "function_call":
            item["arguments"] += piece.text
            return [*told, self._grown("response.function_call_arguments.delta", delta=piece.text)]
        item["content"][0]["text"] += piece.text
        name = "response.output_text.delta" if kind == "message" else "response.reasoning_text.delta"
        more: dict[str, Any] = {"logprobs": []} if kind == "message" else {}
        return [*told, self._grown(name, content_index=0, delta=piece.text, **more)]

    def _begun(self, kind: str, name: str = "") -> list[dict[str, Any]]:
        mark = {"reasoning": "rs", "message": "msg", "function_call": "fc"}[kind]
        item: dict[str, Any] = {
            "id": f"{mark}_{secrets.token_hex(16)}",
            "type": kind,
            "status": "in_progress",
        }
        if kind == "function_call":
            item |= {"call_id": f"call_{secrets.token_hex(12)}", "name": name, "arguments": ""}
        elif kind == "reasoning":
            item |= {"summary": [], "content": [{"type": "reasoning_text", "text": ""}]}
        else:
            item |= {
                "role": "assistant",
                "content": [{"type": "output_text", "text": "", "annotations": [], "logprobs": []}],
            }
        self.items.append(item)
        shown = {**item, "content": []} if "content" in item else dict(item)
        told = [self._event("response.output_item.added", output_index=len(self.items) - 1, item=shown)]
        if kind == "message":
            told.append(
                self._grown("response.content_part.added", content_index=0, part=dict(item["content"][0]))
            )
        return told

    def _ended(self, status: str) -> list[dict[str, Any]]:
        """Tell that the last item is over, if one is open."""
        if not self.items or self.items[-1]["status"] != "in_progress":
            return []
        item = self.items[-1]
        item["status"] = status
        told = []
        if item["type"] == "message":
            text = item["content"][0]["text"]
            told.append(self._grown("response.output_text.done", content_index=0, text=text, logprobs=[]))
            told.append(
                self._grown("response.content_part.done", content_index=0, part=dict(item["content"][0]))
            )
        elif item["type"] == "reasoning":
            told.append(
                self._grown("response.reasoning_text.done", content_index=0, text=item["content"][0]["text"])
            )
        else:
            name, arguments = item["name"], item["arguments"]
            told.append(self._grown("response.function_call_arguments.done", name=name, arguments=arguments))
        place = len(self.items) - 1
        return [*told, self._event("response.output_item.done", output_index=place, item=dict(item))]

    def _grown(self, kind: str, **more: Any) -> dict[str, Any]:
        return self._event(kind, item_id=self.items[-1]["id"], output_index=len(self.items) - 1, **more)

    def _event(self, kind: str, **more: Any) -> dict[str, Any]:
        self.number += 1
        return {"type": kind, "sequence_number": self.number, **more}
