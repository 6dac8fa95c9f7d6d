"""The items of a session's conversation, as client and model are shown them. Knows nothing of events."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Callable
from typing import Any

from manus.data.media.sound import RATE_HERTZ, Waves
from manus.serving.server.answering import Service
from manus.serving.server.media import MediaDesk
from manus.serving.server.realtime.hearing import SoundBuffer
from manus.serving.server.refusals import Refused

MOST_ITEMS = 1000
TEXTS = ("input_text", "output_text", "text")
ROLES = ("user", "assistant", "system")


def piece_of(service: Service) -> int:
    """Return how many samples at 16 kHz the model hears at once."""
    return max(1, int(service.hosted.layout.longest_audio_seconds * RATE_HERTZ))


class Items:
    """Items in their order; beside each stands the turn that the model is shown."""

    def __init__(self, service: Service, may_forget: Callable[[], bool]) -> None:
        """Args: the service; whether older turns may be forgotten if the conversation outgrows its bound."""
        self.service, self.may_forget = service, may_forget
        # None instead of a turn: the model is not shown it any more.
        self.items: list[tuple[dict[str, Any], dict[str, Any] | None]] = []

    @staticmethod
    def new_id() -> str:
        """Return a name for an item."""
        return f"item_{secrets.token_hex(10)}"

    @property
    def last_id(self) -> str | None:
        """The name of the last item."""
        return self.items[-1][0]["id"] if self.items else None

    def turns(self) -> list[dict[str, Any]]:
        """Return the conversation as the model is shown it; calls that follow each other are one turn's."""
        turns: list[dict[str, Any]] = []
        for _, turn in self.items:
            if turn is None:
                continue
            if "tool_calls" in turn and turns and turns[-1]["role"] == "assistant":
                turns[-1] = {
                    **turns[-1],
                    "tool_calls": [*turns[-1].get("tool_calls", []), *turn["tool_calls"]],
                }
            else:
                turns.append(turn)
        return turns

    def forget_half(self) -> bool:
        """Show the model the older half of the turns no more, up to one of the user's; their media are freed.

        Returns:
            Whether there was anything to forget: not where one turn of the user's is all that is left.
        """
        left = [place for place, (_, turn) in enumerate(self.items) if turn is not None]
        begins = [place for place in left if (self.items[place][1] or {})["role"] == "user"]
        later = [place for place in begins if place >= left[-(-len(left) // 2)]] if len(left) > 1 else []
        first = later[0] if later else begins[-1] if begins else None
        if first is None or first == left[0]:
            return False
        self.items[:first] = [(item, None) for item, _ in self.items[:first]]
        return True

    def shown(self, item_id: Any) -> dict[str, Any]:
        """Return an item by its name.

        Raises:
            Refused: there is none.
        """
        return self.items[self._place(item_id)][0]

    def before(self, item_id: str) -> str | None:
        """Return the name of the item before another."""
        place = self._place(item_id)
        return self.items[place - 1][0]["id"] if place else None

    def delete(self, item_id: Any) -> None:
        """Forget an item.

        Raises:
            Refused: there is none.
        """
        del self.items[self._place(item_id)]

    def add(self, given: dict[str, Any], before: Any = None) -> dict[str, Any]:
        """Add what a client says, shows or gives back; return it as it is shown.

        Args:
            given: the item.
            before: the name of the item that it follows, "root" for none; None puts it last.

        Raises:
            Refused: it is no item, or holds what the model cannot take.
        """
        if not isinstance(given.get("id"), str | None) or any(
            item["id"] == given.get("id") for item, _ in self.items
        ):
            raise Refused("item.id: a name that no other item has", param="item.id")
        item = {
            "object": "realtime.item",
            **given,
            "id": given.get("id") or self.new_id(),
            "status": "completed",
        }
        place = len(self.items) if before is None else 0 if before == "root" else self._place(before) + 1
        readers = {
            "message": self._message,
            "function_call": self._call,
            "function_call_output": self._result,
        }
        reader = readers.get(str(given.get("type")))
        if reader is None:
            raise Refused(f"item.type: one of {', '.join(readers)}", param="item.type")
        self._insert(place, item, reader(item))
        return item

    def add_sound(self, item_id: str, waves_S: Waves) -> dict[str, Any]:
        """Add what was heard; return it as it is shown."""
        content = [{"type": "input_audio", "transcript": None}]
        item = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": content,
        }
        self._insert(len(self.items), item, self.sound_turn(waves_S))
        return item

    def sound_turn(self, waves_S: Waves) -> dict[str, Any]:
        """Return the turn of a user who speaks."""
        return {"role": "user", "content": self._heard(waves_S)}

    @property
    def ids(self) -> tuple[str, ...]:
        """The names of all items, in order."""
        return tuple(item["id"] for item, _ in self.items)

    def add_said(self, item: dict[str, Any], turn: dict[str, Any]) -> None:
        """Add what the model said."""
        self._insert(len(self.items), item, turn)

    def _insert(self, place: int, item: dict[str, Any], turn: dict[str, Any]) -> None:
        if len(self.items) >= MOST_ITEMS:
            raise Refused(f"a conversation has up to {MOST_ITEMS} items; delete some", param="item")
        most = self.service.limits.session_bytes
        self.items.insert(place, (item, turn))
        while sum(_bytes_of(kept) for _, kept in self.items if kept is not None) > most:
            if _bytes_of(turn) > most or not (self.may_forget() and self.forget_half()):
                del self.items[place]
                raise Refused(
                    f"a conversation keeps up to {most:,} bytes, media decoded; delete some items",
                    param="item",
                )

    def _place(self, item_id: Any) -> int:
        place = next((n for n, (item, _) in enumerate(self.items) if item["id"] == item_id), None)
        if place is None:
            raise Refused(f"no item {str(item_id)[:80]!r}", param="item_id", code="item_not_found")
        return place

    def _heard(self, waves_S: Waves) -> list[dict[str, Any]]:
        """Return sound as parts that the model hears at once."""
        longest = piece_of(self.service)
        return [{"type": "audio", "audio": waves_S[n : n + longest]} for n in range(0, len(waves_S), longest)]

    def _message(self, item: dict[str, Any]) -> dict[str, Any]:
        role, content = item.get("role"), item.get("content")
        if role not in ROLES:
            raise Refused(f"item.role: one of {', '.join(ROLES)}", param="item.role")
        if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
            raise Refused("item.content: a list of parts", param="item.content")
        desk = MediaDesk(
            self.service.hosted.senses, self.service.hosted.layout.check_heard, self.service.limits
        )
        parts = [
            one
            for place, part in enumerate(content)
            for one in self._parts(part, f"item.content.{place}", desk)
        ]
        if any(part["type"] != "text" for part in parts):
            if role != "user":
                raise Refused("item.content: only the user shows and speaks", param="item.content")
            return {"role": role, "content": parts}
        return {"role": role, "content": "\n".join(part["text"] for part in parts)}

    def _parts(self, part: dict[str, Any], param: str, desk: MediaDesk) -> list[dict[str, Any]]:
        kind = part.get("type")
        if kind in TEXTS and isinstance(part.get("text"), str):
            return [{"type": "text", "text": part["text"]}]
        if kind == "input_image" and isinstance(part.get("image_url"), str):
            return [desk.part("image", part["image_url"], param)]
        if kind == "input_audio" and isinstance(part.get("audio"), str):
            if "audio" not in desk.senses:
                raise Refused(f"{param}: this model does not hear", param=param, code="no_sense")
            sound = SoundBuffer()
            try:
                sound.append(base64.b64decode(part["audio"], validate=True))
            except (binascii.Error, ValueError) as error:
                raise Refused(f"{param}: {error}", param=param) from None
            return self._heard(sound.take())
        raise Refused(
            f"{param}: a part is input_text, input_image or input_audio, with its content", param=param
        )

    def _call(self, item: dict[str, Any]) -> dict[str, Any]:
        try:
            arguments = json.loads(item.get("arguments") or "{}")
        except (ValueError, TypeError, RecursionError):
            arguments = None
        if not isinstance(item.get("name"), str) or not isinstance(arguments, dict):
            raise Refused("item: a call has a name, and arguments as a JSON object", param="item.arguments")
        item.setdefault("call_id", f"call_{secrets.token_hex(12)}")
        function = {"name": item["name"], "arguments": arguments}
        call = {"id": item["call_id"], "type": "function", "function": function}
        return {"role": "assistant", "content": "", "tool_calls": [call]}

    def _result(self, item: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(item.get("output"), str) or not isinstance(item.get("call_id"), str):
            raise Refused("item: a result has a call_id and an output, both texts", param="item.output")
        return {"role": "tool", "content": item["output"], "tool_call_id": item["call_id"]}


def _bytes_of(turn: dict[str, Any]) -> int:
    """Return about how much memory a turn takes."""
    content = turn["content"]
    size = len(str(turn.get("tool_calls", "")))
    if isinstance(content, str):
        return size + len(content)
    for part in content:
        given = part[part["type"]]
        if part["type"] == "image":
            size += 3 * int(given.width * given.height)
        else:
            size += int(given.nbytes) if part["type"] == "audio" else len(given)
    return size
