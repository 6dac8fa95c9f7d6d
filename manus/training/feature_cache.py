"""Keeps on disk what frozen encoders say of media, so that several epochs ask them once. Knows nothing of samples.

The states lie one after the other in one file, which is read where it is needed: memory holds those of one batch. The
index is written last, when the states are on the disk, so a cache that was cut off is made anew.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from manus.errors import InputError
from manus.files import write_json
from manus.guards.progress import progress
from manus.guards.run import RUN
from manus.models.media_inputs import MediaInputs, State, joined
from manus.training.settings import MediaSettings

STATES, INDEX = "states.bin", "index.json"


@dataclass(frozen=True, slots=True)
class CachedInputs:
    """The media of one data folder as what the encoders made of them; takes the place of `MediaInputs` in training."""

    folder: Path
    index: dict[str, dict[str, Any]]

    def tensors(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return the encoders' states of media in the order of their placeholders, as the model takes them."""
        return joined([self.read(number) for number in numbers])

    def read(self, number: int) -> State:
        """Return the states of one medium."""
        entry = self.index[str(number)]
        with (self.folder / STATES).open("rb") as file:
            file.seek(entry["offset"])
            count = int(np.prod(entry["shape"]))
            found = np.frombuffer(file.read(4 * count), dtype=np.float32).reshape(entry["shape"])
        return State(entry["kind"], torch.from_numpy(found.copy()), entry["tokens"])


def is_wanted(settings: MediaSettings, epochs: float, inputs: MediaInputs) -> bool:
    """Tell whether states are kept.

    Raises:
        InputError: they are asked for, and pictures have no one size.
    """
    wanted = epochs > 1 if settings.cache_features == "auto" else settings.cache_features
    if wanted and not inputs.is_of_one_size:
        if settings.cache_features == "auto":
            return False
        raise InputError("cache_features: true needs a vision encoder of one resolution; remove the key")
    return wanted


def cached(model: PreTrainedModel, inputs: MediaInputs, numbers: Sequence[int], folder: Path) -> CachedInputs:
    """Return the states of media, asking the encoders where an earlier process has not finished that.

    Args:
        model: an omni model, on its device.
        inputs: the media.
        numbers: which of them.
        folder: where states are kept.

    Raises:
        InputError: the disk has too little room.
        Interrupted: a signal came.
    """
    if not (folder / INDEX).exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _write(model, inputs, sorted(set(numbers)), folder)
    return CachedInputs(folder, json.loads((folder / INDEX).read_text(encoding="utf-8")))


def _write(model: PreTrainedModel, inputs: MediaInputs, numbers: Sequence[int], folder: Path) -> None:
    index: dict[str, dict[str, Any]] = {}
    offset = 0
    with (folder / STATES).open("wb") as file, progress("encode media", len(numbers), "media") as advance:
        for done, number in enumerate(numbers, 1):
            RUN.cross("encoding media")
            state = inputs.state(model, number)
            data = state.values.float().cpu().numpy().tobytes()
            if done.bit_count() == 1:  # seldom, and again where longer media follow short ones
                _check_room(folder, (offset + len(data)) // done * (len(numbers) - done + 1))
            file.write(data)
            index[str(number)] = {
                "kind": state.kind, "shape": list(state.values.shape), "tokens": state.tokens, "offset": offset,
            }  # fmt: skip
            offset += len(data)
            advance(done)
        file.flush()
        os.fsync(file.fileno())
    write_json(folder / INDEX, index)


def _check_room(folder: Path, needed: int) -> None:
    """Refuse to fill a disk.

    Raises:
        InputError: there is less room than about what is needed.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"what the encoders say of the media takes about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in "
            f"{folder}; set cache_features: false"
        )
