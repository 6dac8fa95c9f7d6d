"""Keeps on disk what frozen encoders say of media, so that epochs ask them once. Knows nothing of samples.

The states lie one after the other in files, which are read where they are needed: memory holds those of one
batch. Each rank fills one file, and reads all. Its index is written last, when the states are on the disk, so
a part that was cut off is made anew.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedModel

from manus.errors import InputError
from manus.files import write_json
from manus.guards import ranks
from manus.guards.progress import progress
from manus.guards.run import RUN
from manus.models.senses.omni_inputs import MediaInputs, State, joined
from manus.training.batches.beside import Beside, Copied, told_plainly
from manus.training.settings import MediaSettings

PART, STATES, INDEX = "part-{}-of-{}", "states.bin", "index.json"
LOOK_EVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class CachedInputs:
    """The media of a data folder as the encoders made them; takes the place of `MediaInputs` in training."""

    folder: Path
    index: dict[str, dict[str, Any]]

    def tensors(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return the encoders' states of media in the order of their placeholders, as models take them."""
        return joined([self.read(number) for number in numbers])

    def read(self, number: int) -> State:
        """Return the states of one medium."""
        entry = self.index[str(number)]
        with (self.folder / entry["part"] / STATES).open("rb") as file:
            file.seek(entry["offset"])
            count = int(np.prod(entry["shape"]))
            found = np.frombuffer(file.read(4 * count), dtype=np.float32).reshape(entry["shape"])
        return State(entry["kind"], torch.from_numpy(found.copy()), entry["tokens"])


class _Decoded(Dataset[Copied]):
    """Media one by one, as an encoder takes them."""

    def __init__(self, inputs: MediaInputs, numbers: Sequence[int]) -> None:
        self.inputs, self.numbers = inputs, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Copied:
        return Copied(self.inputs.tensors([self.numbers[index]]))


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


def cached(
    model: PreTrainedModel,
    inputs: MediaInputs,
    numbers: Sequence[int],
    folder: Path,
    beside: Beside,
    title: str,
) -> CachedInputs:
    """Return the states of media, asking the encoders where an earlier process has not finished that.

    Each rank asks for its share of the media, and waits for the others.

    Args:
        model: an omni model, on its device.
        inputs: the media.
        numbers: which of them.
        folder: where states are kept, the same for all ranks.
        beside: the processes that decode.
        title: of the stage.

    Raises:
        InputError: the disk has too little room.
        DataError: a medium cannot be decoded any more.
        Interrupted: a signal came.
    """
    world = ranks.world_size()
    parts = [folder / PART.format(rank, world) for rank in range(world)]
    mine = parts[ranks.rank()]
    if ranks.is_first() and folder.exists():
        for other in set(folder.iterdir()) - set(parts):  # of another number of ranks
            shutil.rmtree(other)
    if not (mine / INDEX).exists():
        shutil.rmtree(mine, ignore_errors=True)
        mine.mkdir(parents=True)
        with told_plainly(title, "decodes media"):
            _write(model, inputs, sorted(set(numbers))[ranks.rank() :: world], mine, beside)
    while not all((part / INDEX).exists() for part in parts):
        RUN.cross("waiting for what other ranks encode")
        time.sleep(LOOK_EVERY_SECONDS)
    index: dict[str, dict[str, Any]] = {}
    for part in parts:
        entries = json.loads((part / INDEX).read_text(encoding="utf-8"))
        index |= {number: {**entry, "part": part.name} for number, entry in entries.items()}
    return CachedInputs(folder, index)


def _write(
    model: PreTrainedModel, inputs: MediaInputs, numbers: Sequence[int], folder: Path, beside: Beside
) -> None:
    index: dict[str, dict[str, Any]] = {}
    offset = 0
    decoded = DataLoader(
        _Decoded(inputs, numbers),
        batch_size=None,
        collate_fn=_as_it_is,
        generator=torch.Generator(),
        **beside.options,
    )  # a generator of its own: a run whose states are kept already draws the same
    with (folder / STATES).open("wb") as file, progress("encode media", len(numbers), "media") as advance:
        for done, (number, given) in enumerate(zip(numbers, decoded, strict=True), 1):
            RUN.cross("encoding media")
            state = inputs.state(model, number, given)
            data = state.values.float().cpu().numpy().tobytes()
            if done.bit_count() == 1:  # seldom, and again where longer media follow short ones
                _check_room(
                    folder, (offset + len(data)) // done * (len(numbers) - done + 1) * ranks.world_size()
                )
            file.write(data)
            index[str(number)] = {
                "kind": state.kind,
                "shape": list(state.values.shape),
                "tokens": state.tokens,
                "offset": offset,
            }
            offset += len(data)
            advance(done)
        file.flush()
        os.fsync(file.fileno())
    write_json(folder / INDEX, index)


def _as_it_is(one: Any) -> Any:
    return one


def _check_room(folder: Path, needed: int) -> None:
    """Refuse to fill a disk.

    Raises:
        InputError: there is less room than about what is needed.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"what the encoders say of the media takes about {needed / 1e9:.1f} GB, "
            f"and {free / 1e9:.1f} GB are free in {folder}; set cache_features: false"
        )
