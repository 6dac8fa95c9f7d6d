"""One conversation over a WebSocket: what the client's events do, and what the server tells of it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from pydantic import ValidationError

from manus.errors import InputError
from manus.serving.server.answering import Service
from manus.serving.server.realtime.early import Early
from manus.serving.server.realtime.hearing import SoundBuffer, Spoken
from manus.serving.server.realtime.items import Items
from manus.serving.server.realtime.settings import ResponseSettings, Session, merged, usable
from manus.serving.server.realtime.speaking import Spoke, respond
from manus.serving.server.refusals import FAILED, Refused, refused_by

LOG = logging.getLogger(__name__)
Send = Callable[[dict[str, Any]], Awaitable[None]]
SHORTEST_MS = 100  # of a committed buffer


class Talk:
    """The state of one session; `take` is given the client's events in their order."""

    def __init__(self, service: Service, send: Send) -> None:
        self.service, self._send = service, send
        self.id = f"sess_{secrets.token_hex(12)}"
        self.session = Session(model=service.hosted.name)
        self.unused: list[str] = []
        self.items = Items(service, may_forget=lambda: self.session.truncation == "auto")
        self.sound = SoundBuffer()
        self.early = Early(service, self.items, self.sound)
        self.spoken_item: str | None = None  # of who speaks just now
        self.response: asyncio.Task[None] | None = None
        self.spoke: Spoke | None = None
        self._set_detection()

    async def send(self, kind: str, **more: Any) -> None:
        """Tell the client of something."""
        await self._send({"type": kind, "event_id": f"event_{secrets.token_hex(10)}", **more})

    async def begin(self) -> None:
        """Say that the session is there."""
        await self.send("session.created", session=self._described())

    async def end(self) -> None:
        """Give up what is being answered."""
        await self._cancel("client_cancelled")
        await self.early.end()

    async def take(self, text: str) -> None:
        """Do what a client's event says; one that cannot be done gets an error, and nothing else changes."""
        event: Any = {}
        try:
            with self.service.bodies.holding(len(text)):
                event = _event(text)
                handler = self.HANDLERS.get(event["type"])
                if handler is None:
                    known = ", ".join(self.HANDLERS)
                    raise Refused(f"no such event: {event['type'][:80]!r}; known: {known}", param="type")
                await handler(self, event)
        except (Refused, InputError) as error:
            await self._tell_error(error if isinstance(error, Refused) else Refused(str(error)), event)
        except ValidationError as error:
            await self._tell_error(refused_by(error, {}), event)

    async def _tell_error(self, refused: Refused, event: Any = None) -> None:
        given = event.get("event_id") if isinstance(event, dict) else None
        await self.send(
            "error", error={**refused.body["error"], "event_id": given if isinstance(given, str) else None}
        )

    # The session

    async def _update(self, event: dict[str, Any]) -> None:
        given = _object(event, "session")
        kept, unused = usable(given)
        kept.pop("model", None)  # a session keeps its model; it was checked as it was opened
        session = Session.model_validate(merged(self.session.model_dump(), kept))
        self.session, self.unused = session, unused
        self._set_detection()
        await self.send("session.updated", session={**self._described(), "not_supported": self.unused})

    def _described(self) -> dict[str, Any]:
        described = {"id": self.id, "object": "realtime.session", **self.session.model_dump()}
        return described | ({"listening": self.early.described} if self.service.hosted.senses else {})

    def _set_detection(self) -> None:
        detection = self.session.audio.input.turn_detection
        if "audio" not in self.service.hosted.senses or detection is None:
            self.sound.listen_no_more()
        elif self.sound.detector is None or (
            (detection.threshold, detection.silence_duration_ms, detection.prefix_padding_ms)
            != (self.sound.threshold, self.sound.silence_ms, self.sound.prefix_ms)
        ):
            self.sound.listen(detection.threshold, detection.silence_duration_ms, detection.prefix_padding_ms)

    # What is heard

    async def _append(self, event: dict[str, Any]) -> None:
        if "audio" not in self.service.hosted.senses:
            raise Refused("this model does not hear", 501, "audio", "no_sense")
        try:
            pcm = base64.b64decode(event.get("audio", ""), validate=True)
            spoken = await asyncio.to_thread(self.sound.append, pcm)
        except (binascii.Error, ValueError, TypeError) as error:
            raise Refused(f"audio: {error}", param="audio") from None
        for one in spoken:
            await self._heard(one)
        self.early.note(self.session)

    async def _heard(self, spoken: Spoken) -> None:
        detection = self.session.audio.input.turn_detection
        if spoken.kind == "started":
            self.spoken_item = Items.new_id()
            kind = "input_audio_buffer.speech_started"
            if detection is not None and detection.interrupt_response:
                await self._cancel("turn_detected")
            await self.send(
                kind, audio_start_ms=max(0, spoken.at_ms - self.sound.prefix_ms), item_id=self.spoken_item
            )
            return
        await self.send(
            "input_audio_buffer.speech_stopped", audio_end_ms=spoken.at_ms, item_id=self.spoken_item
        )
        await self._commit({})
        if detection is not None and detection.create_response:
            await self._cancel("turn_detected")
            await self._respond({})

    async def _commit(self, event: dict[str, Any]) -> None:
        if self.sound.seconds * 1000 < SHORTEST_MS:
            raise Refused(
                f"the buffer has less than {SHORTEST_MS} ms of sound", code="input_audio_buffer_commit_empty"
            )
        waves_S = self.sound.take()
        item_id, self.spoken_item = self.spoken_item or Items.new_id(), None
        before = self.items.last_id
        await self.send("input_audio_buffer.committed", item_id=item_id, previous_item_id=before)
        await self._added(self.items.add_sound(item_id, waves_S), before)

    async def _clear(self, event: dict[str, Any]) -> None:
        self.sound.take()
        await self.send("input_audio_buffer.cleared")

    # The conversation

    async def _create_item(self, event: dict[str, Any]) -> None:
        before = event.get("previous_item_id")
        item = await asyncio.to_thread(self.items.add, _object(event, "item"), before)
        await self._added(item, before or self.items.before(item["id"]))
        self.early.note(self.session)

    async def _added(self, item: dict[str, Any], before: str | None) -> None:
        await self.send("conversation.item.added", item=item, previous_item_id=before)
        await self.send("conversation.item.done", item=item, previous_item_id=before)

    async def _retrieve_item(self, event: dict[str, Any]) -> None:
        await self.send("conversation.item.retrieved", item=self.items.shown(event.get("item_id")))

    async def _delete_item(self, event: dict[str, Any]) -> None:
        self.items.delete(event.get("item_id"))
        await self.send("conversation.item.deleted", item_id=event["item_id"])

    async def _truncate_item(self, event: dict[str, Any]) -> None:
        self.items.shown(event.get("item_id"))
        raise Refused(
            "only spoken answers are cut, and answers here are text; cancel the response", param="item_id"
        )

    # Answers

    async def _create_response(self, event: dict[str, Any]) -> None:
        if self.response is not None and not self.response.done():
            raise Refused(
                "a response is being made; cancel it first", code="conversation_already_has_active_response"
            )
        await self._respond(event.get("response") or {})

    async def _respond(self, given: dict[str, Any]) -> None:
        if "audio" in (given.get("output_modalities") or ()):
            raise Refused(
                "answers here are text; set output_modalities to ['text']",
                501,
                "response.output_modalities",
            )
        settings = ResponseSettings.model_validate(given)
        self.spoke = Spoke(self.send, self.items, settings)
        self.response = asyncio.create_task(self._answered(self.spoke, settings))

    async def _answered(self, spoke: Spoke, settings: ResponseSettings) -> None:
        try:
            await respond(self.service, self.session, settings, self.items, spoke, self.early)
        except (Refused, InputError) as error:
            refused = error if isinstance(error, Refused) else Refused(str(error))
            await spoke.fail(refused)
        except Exception:
            LOG.exception("a response failed")
            await spoke.fail(Refused(FAILED, status=500))

    async def _cancel_response(self, event: dict[str, Any]) -> None:
        if self.response is None or self.response.done():
            raise Refused("no response is being made", code="response_cancel_not_active")
        await self._cancel("client_cancelled")

    async def _cancel(self, reason: str) -> None:
        if self.response is None or self.response.done() or self.spoke is None:
            return
        self.response.cancel()
        await asyncio.gather(self.response, return_exceptions=True)
        await self.spoke.cancelled(reason)

    HANDLERS: ClassVar[dict[str, Any]] = {
        "session.update": _update,
        "input_audio_buffer.append": _append,
        "input_audio_buffer.commit": _commit,
        "input_audio_buffer.clear": _clear,
        "conversation.item.create": _create_item,
        "conversation.item.retrieve": _retrieve_item,
        "conversation.item.delete": _delete_item,
        "conversation.item.truncate": _truncate_item,
        "response.create": _create_response,
        "response.cancel": _cancel_response,
    }


def _event(text: str) -> dict[str, Any]:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"an event is a JSON object: {error}") from None
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise Refused("an event is a JSON object with a 'type'", param="type")
    return event


def _object(event: dict[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    if not isinstance(value, dict):
        raise Refused(f"{name}: an object is needed", param=name)
    return value
