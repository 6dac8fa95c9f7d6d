"""A cache layer into which one more token is written, where transformers' own copies all at each step."""

# Shapes: B rows, H heads, T tokens, D head size.

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicLayer

# Tokens that are written before all are copied again: 64 took 65 MB more for 32 rows, and saved nothing.
ROOM = 16


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A layer that holds all tokens, in tensors with room for more of them."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.keys: Tensor
        self.values: Tensor
        self.rooms: dict[str, tuple[Tensor, Tensor]] = {}

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **given: Any
    ) -> tuple[Tensor, Tensor]:
        """Put tokens [B, H, T, D] behind those that are held; return all keys and values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self._appended("keys", self.keys, key_states)
        self.values = self._appended("values", self.values, value_states)
        return self.keys, self.values

    def _appended(self, name: str, held: Tensor, more: Tensor) -> Tensor:
        before = held.shape[2] if held.dim() == more.dim() else 0
        after = before + more.shape[2]
        room, shown = self.rooms.get(name, (None, None))
        if room is None or shown is not held or after > room.shape[2]:  # what is held may have been edited
            room = more.new_empty(*more.shape[:2], after + ROOM, more.shape[3])
            room[:, :, :before] = held if before else room[:, :, :0]
        room[:, :, before:after] = more
        shown = room[:, :, :after]
        self.rooms[name] = room, shown
        return shown

    def offload(self) -> None:
        """Move what is held to host memory, and give the room up."""
        self.rooms.clear()
        super().offload()
