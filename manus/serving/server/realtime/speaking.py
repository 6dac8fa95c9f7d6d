"""Makes one answer of a session, and tells of it as it grows. Knows nothing of what is heard."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from manus.models.generation.questions import Begun
from manus.serving.hosted import Asked
from manus.serving.server.answering import Counted, Drawn, Service, Wish, deltas
from manus.serving.server.constraints import of_calls
from manus.serving.server.messages import put
from manus.serving.server.pieces import Piece
from manus.serving.server.realtime.items import Items
from manus.serving.server.realtime.settings import NamedTool, ResponseSettings, Session
from manus.serving.server.refusals import Refused

if TYPE_CHECKING:
    from manus.serving.server.realtime.early import Early


class Spoke:
    """A response: its items as they are told of, and how it ends, once."""

    def __init__(
        self, send: Callable[..., Awaitable[None]], items: Items, settings: ResponseSettings
    ) -> None:
        self.send, self.items, self.settings = send, items, settings
        self.response: dict[str, Any] = {
            "id": f"resp_{secrets.token_hex(12)}",
            "object": "realtime.response",
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "output_modalities": ["text"],
            "usage": None,
            "metadata": settings.metadata,
        }
        self.is_begun = self.is_over = False
        self.open: dict[str, Any] | None = None  # the message that grows

    async def begin(self) -> None:
        """Say that an answer is being made."""
        self.is_begun = True
        await self.send("response.created", response=dict(self.response))

    async def add(self, piece: Piece) -> None:
        """Tell of something that was said. Thoughts are the model's own and not told."""
        if piece.kind == "words":
            if self.open is None:
                await self._open()
            assert self.open is not None
            self.open["content"][0]["text"] += piece.text
            await self._grown("response.output_text.delta", delta=piece.text)
        elif piece.kind == "call":
            await self._close("completed")
            await self._call(piece)

    async def end(
        self, status: str, counted: Counted | None = None, details: dict[str, Any] | None = None
    ) -> None:
        """Say that the answer is over; a second time does nothing."""
        if self.is_over:
            return
        self.is_over = True
        if not self.is_begun:
            await self.begin()
        await self._close("completed" if status == "completed" else "incomplete")
        usage = counted and {
            "total_tokens": counted.prompt + counted.answers,
            "input_tokens": counted.prompt,
            "output_tokens": counted.answers,
        }
        self.response |= {"status": status, "status_details": details, "usage": usage}
        await self.send("response.done", response=self.response)

    async def cancelled(self, reason: str) -> None:
        """Say that the answer was given up."""
        await self.end("cancelled", details={"type": "cancelled", "reason": reason})

    async def fail(self, refused: Refused) -> None:
        """Say that the answer cannot be made."""
        error = refused.body["error"]
        details = {
            "type": "failed",
            "error": {"type": error["type"], "code": error["code"], "message": error["message"]},
        }
        await self.end("failed", details=details)

    async def _open(self) -> None:
        part = {"type": "output_text", "text": ""}
        self.open = {
            "id": Items.new_id(),
            "object": "realtime.item",
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [part],
        }
        self.response["output"].append(self.open)
        shown = {**self.open, "content": []}
        before = self.items.last_id
        await self._told("response.output_item.added", item=shown)
        await self.send("conversation.item.added", item=shown, previous_item_id=before)
        await self._grown("response.content_part.added", part=dict(part))

    async def _close(self, status: str) -> None:
        if self.open is None:
            return
        item, text = self.open, self.open["content"][0]["text"]
        item["status"] = status
        await self._grown("response.output_text.done", text=text)
        await self._grown("response.content_part.done", part=dict(item["content"][0]))
        await self._finish(item, {"role": "assistant", "content": text})
        self.open = None

    async def _call(self, piece: Piece) -> None:
        item = {
            "id": Items.new_id(),
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "call_id": f"call_{secrets.token_hex(12)}",
            "name": piece.name,
            "arguments": "",
        }
        self.response["output"].append(item)
        await self._told("response.output_item.added", item=dict(item))
        await self.send("conversation.item.added", item=dict(item), previous_item_id=self.items.last_id)
        about = {"item_id": item["id"], "call_id": item["call_id"]}
        await self._told("response.function_call_arguments.delta", **about, delta=piece.text)
        await self._told(
            "response.function_call_arguments.done", **about, name=piece.name, arguments=piece.text
        )
        item |= {"arguments": piece.text, "status": "completed"}
        function = {"name": piece.name, "arguments": json.loads(piece.text)}
        call = {"id": item["call_id"], "type": "function", "function": function}
        await self._finish(item, {"role": "assistant", "content": "", "tool_calls": [call]})

    async def _finish(self, item: dict[str, Any], turn: dict[str, Any]) -> None:
        before = self.items.last_id
        if self.settings.conversation == "auto":
            self.items.add_said(item, turn)
        await self._told("response.output_item.done", item=dict(item))
        await self.send("conversation.item.done", item=dict(item), previous_item_id=before)

    async def _told(self, kind: str, **more: Any) -> None:
        place = len(self.response["output"]) - 1
        await self.send(kind, response_id=self.response["id"], output_index=place, **more)

    async def _grown(self, kind: str, **more: Any) -> None:
        assert self.open is not None
        await self._told(kind, item_id=self.open["id"], content_index=0, **more)


async def respond(
    service: Service,
    session: Session,
    settings: ResponseSettings,
    items: Items,
    spoke: Spoke,
    early: Early,
) -> None:
    """Make one answer.

    Raises:
        Refused: it cannot be made.
        InputError: the chat template refuses the conversation.
    """
    await spoke.begin()
    begun = await early.settled()
    while True:
        async with service.preparing:
            wish = await asyncio.to_thread(wish_of, service, session, settings, items, begun)
        if session.truncation == "disabled" or has_room(service, wish) or not items.forget_half():
            break
    counted, finish = Counted(), None
    async with aclosing(deltas(service, wish, counted)) as found:  # type: ignore[type-var]
        async for delta in found:
            for piece in delta.pieces:
                await spoke.add(piece)
            finish = delta.finish or finish
    if finish == "length":
        await spoke.end("incomplete", counted, {"type": "incomplete", "reason": "max_output_tokens"})
    else:
        await spoke.end("completed", counted)


def has_room(service: Service, wish: Wish) -> bool:
    """Tell whether an answer to a prompt has room: as much as asked, or a quarter of what the model reads."""
    reach = service.hosted.context
    if reach is None:
        return True
    wanted = wish.drawn.max_new_tokens or service.limits.default_tokens
    return len(wish.asked.ids) + min(wanted, reach // 4) <= reach


def wish_of(
    service: Service,
    session: Session,
    settings: ResponseSettings,
    items: Items,
    begun: Begun | None = None,
) -> Wish:
    """Return what a session puts to the model; `begun` is what of it may have been read.

    Raises:
        Refused: `tool_choice` names a function that is not there, or the conversation cannot be put to the
            model.
    """
    choice = settings.tool_choice or session.tool_choice
    tools = _tools(session, settings)
    forced = tools if choice == "required" else []
    if isinstance(choice, NamedTool):
        forced = [tool for tool in tools if tool["name"] == choice.name]
    if not forced and choice not in ("none", "auto"):
        raise Refused("tool_choice: there is no such function", param="tool_choice")
    asked = asked_of(service, session, settings, items.turns())
    grammar = of_calls(forced, session.parallel_tool_calls, bool(asked.thought)) if forced else None
    longest = settings.max_output_tokens or session.max_output_tokens
    temperature = session.temperature if settings.temperature is None else settings.temperature
    return Wish(
        asked,
        Drawn(None if longest == "inf" else longest, temperature),
        may_call=bool(tools),
        limit=lambda: None if grammar is None else service.grammars.limit(grammar, "tools"),
        begun=begun,
    )


def asked_of(
    service: Service, session: Session, settings: ResponseSettings, turns: Sequence[dict[str, Any]]
) -> Asked:
    """Return turns as the model takes them, behind instructions and functions.

    Raises:
        Refused: a call of an earlier turn cannot be read.
        InputError: the chat template refuses the conversation.
    """
    instructions = session.instructions if settings.instructions is None else settings.instructions
    system = [{"role": "system", "content": instructions}] if instructions else []
    return put(service.hosted, [*system, *turns], _tools(session, settings))


def _tools(session: Session, settings: ResponseSettings) -> list[dict[str, Any]]:
    choice = settings.tool_choice or session.tool_choice
    tools = [tool.shown for tool in (session.tools if settings.tools is None else settings.tools)]
    return [] if choice == "none" else tools
