"""Gives an accelerator's memory up while a run is paused, and takes it back with the same bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import torch


class Parkable(Protocol):
    """What moves its own tensors to host memory and back."""

    def park(self) -> None:
        """Move everything to host memory."""

    def unpark(self) -> None:
        """Move everything back."""


class Parked:
    """Tensors that move to host memory and back. On the CPU there is nothing to move."""

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: Any = None,
        companions: Sequence[torch.nn.Module] = (),
        others: Sequence[Parkable] = (),
    ) -> None:
        self.models, self.optimizer, self.others = (model, *companions), optimizer, others
        self._homes: list[tuple[torch.Tensor, torch.device]] = []

    def park(self) -> None:
        """Move everything to host memory and return the device's memory to its driver."""
        for other in self.others:
            other.park()
        for tensor in self._tensors():
            if tensor.device.type != "cpu":
                self._homes.append((tensor, tensor.device))
                tensor.data = tensor.data.to("cpu")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def unpark(self) -> None:
        """Move everything back to where it was."""
        for tensor, home in self._homes:
            tensor.data = tensor.data.to(home)
        self._homes.clear()
        for other in self.others:
            other.unpark()

    def _tensors(self) -> Iterator[torch.Tensor]:
        for model in self.models:
            for parameter in model.parameters():
                yield parameter
                yield from _quantised_parts(parameter)
            yield from model.buffers()
        yield from _state_tensors(self.optimizer.state.values() if self.optimizer is not None else ())


def _quantised_parts(parameter: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield what bitsandbytes keeps beside a 4-bit weight: scales, code book, and scales of the scales."""
    state = getattr(parameter, "quant_state", None)
    while state is not None:
        yield from (
            part for part in (state.absmax, state.code, state.offset) if isinstance(part, torch.Tensor)
        )
        state = state.state2


def _state_tensors(states: Iterable[dict[str, Any]]) -> Iterator[torch.Tensor]:
    for state in states:
        yield from (value for value in state.values() if isinstance(value, torch.Tensor))


def cuda_uuids() -> tuple[str, ...]:
    """Return the GPU that this process computes on, as NVML names it; none on the CPU."""
    if not torch.cuda.is_available():
        return ()
    return (f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}",)
