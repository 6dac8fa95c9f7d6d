"""`/v1/responses`: chats' answers in the shape of OpenAI's later interface. Nothing outlives a request."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from manus.serving.server.answering import Counted, Delta, Service, Wish, deltas
from manus.serving.server.chat_completions import wish_of
from manus.serving.server.pieces import Piece
from manus.serving.server.reading import parsed
from manus.serving.server.response_request import NOT_BUILT, ResponseRequest
from manus.serving.server.streams import at_once, event_stream


async def answer(request: Request, service: Service) -> Response:
    """Answer one request."""
    wish, shape = await _prepared(request, service)
    counted = Counted()
    if shape.is_streamed:
        return await event_stream(shape.events(deltas(service, wish, counted), counted), is_named=True)
    for delta in await at_once(request, deltas(service, wish, counted)):
        shape.take(delta)
    return JSONResponse(shape.whole(counted))


async def _prepared(request: Request, service: Service) -> tuple[Wish, Shape]:
    """Return what a request asks, and how it is answered; neither holds the request, which may be large."""
    async with service.bodies.read(request, service.limits.body_bytes) as body:
        asked = await asyncio.to_thread(parsed, ResponseRequest, body, NOT_BUILT)
        chat = await asyncio.to_thread(asked.as_chat)
        chat.check(service)
        service.thread.check_room(1)
        async with service.preparing:
            return await asyncio.to_thread(wish_of, chat, service), Shape(service.hosted.name, asked)


class Shape:
    """What an answer looks like at this endpoint: items, told of as they begin, grow and end."""

    def __init__(self, model: str, asked: ResponseRequest) -> None:
        self.is_streamed, self.items = bool(asked.stream), list[dict[str, Any]]()
        self.finish: str | None = None
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
            self.finish = delta.finish
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
