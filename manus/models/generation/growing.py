"""A cache layer into which one more token is written, where transformers' own copies all at each step."""

# Shapes: B rows, H heads, T tokens, D head size.

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicLayer

# Tokens that are written before all are copied again: 64 took 65 MB more for 32 rows, and saved nothing.
ROOM = 16


def _held(name: str) -> Any:
    """Return an attribute of a layer: its keys, or its values. What is put there has no room behind it."""

    def get(layer: GrowingLayer) -> Tensor | None:
        return layer.held[name]

    def put(layer: GrowingLayer, tensor: Tensor | None) -> None:
        layer.rooms.pop(name, None)  # else what was edited would stay in memory beside what came of it
        layer.held[name] = tensor

    return property(get, put)


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A layer that holds all tokens, in tensors with room for more of them."""

    keys = _held("keys")
    values = _held("values")

    def __init__(self, **given: Any) -> None:
        self.held: dict[str, Tensor | None] = {"keys": None, "values": None}
        self.rooms: dict[str, Tensor] = {}
        super().__init__(**given)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **given: Any
    ) -> tuple[Tensor, Tensor]:
        """Put tokens [B, H, T, D] behind those that are held; return all keys and values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self._append("keys", key_states)
        self._append("values", value_states)
        return self.keys, self.values

    def _append(self, name: str, more: Tensor) -> None:
        held, room = self.held[name], self.rooms.get(name)
        before = held.shape[2] if held is not None and held.dim() == more.dim() else 0
        after = before + more.shape[2]
        if room is None or after > room.shape[2]:
            room = more.new_empty(*more.shape[:2], after + ROOM, more.shape[3])
            if held is not None and before:
                room[:, :, :before] = held
        room[:, :, before:after] = more
        setattr(self, name, room[:, :, :after])
        self.rooms[name] = room  # after what is held, whose setting forgets it
