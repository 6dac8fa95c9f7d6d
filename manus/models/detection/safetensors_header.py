"""Counts the weights of a model folder from the headers of its safetensors files. Never reads a tensor."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

from manus.errors import ModelError

_INDEX_SUFFIX = ".safetensors.index.json"
_NAMES = ("model.safetensors", "diffusion_pytorch_model.safetensors")


def count_parameters(folder: Path) -> int | None:
    """Return the number of weights in a folder's safetensors files, None when there are none or not all of them.

    Raises:
        ModelError: a file is no safetensors file or is cut off.
    """
    files = _weight_files(folder)
    if not files or not all(file.is_file() for file in files):
        return None
    return sum(_parameters_of(file) for file in files)


def _weight_files(folder: Path) -> list[Path]:
    for name in _NAMES:
        if (folder / name).is_file():
            return [folder / name]
    for index in (folder / name.replace(".safetensors", _INDEX_SUFFIX) for name in _NAMES):
        if index.is_file():
            try:
                shards = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
            except (ValueError, KeyError, AttributeError) as error:
                raise ModelError(f"{index} is not the index of a sharded model ({error}); fetch it again") from None
            return [folder / shard for shard in sorted(set(shards))]
    return []


def _parameters_of(file: Path) -> int:
    with file.open("rb") as stream:
        prefix = stream.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        if not 0 < length <= file.stat().st_size:
            raise ModelError(f"{file} is not a safetensors file, or is cut off; fetch it again")
        try:
            header = json.loads(stream.read(length))
        except ValueError:
            raise ModelError(f"{file} has a broken safetensors header; fetch it again") from None
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
