"""Counts the weights of a model folder from the headers of its safetensors files. Never reads a tensor."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

from manus.errors import ModelError, blamed_on
from manus.models.json_files import read_object

_INDEX_SUFFIX = ".safetensors.index.json"
INDEX = f"model{_INDEX_SUFFIX}"
_NAMES = ("model.safetensors", "diffusion_pytorch_model.safetensors")


def count_parameters(folder: Path) -> int | None:
    """Return the number of weights in a folder's safetensors files, None if there are none, or not all.

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
            return [folder / shard for shard in shards_of(index)]
    return []


def shards_of(index: Path) -> list[str]:
    """Return the names of the files that hold the weights of a sharded model, sorted.

    Raises:
        ModelError: it is no index, or names a file that no digest of its folder covers.
    """
    shards = read_object(index).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise ModelError(f"{index} is not the index of a sharded model; fetch it again")
    for name in set(shards.values()):
        if "/" in name or not name.endswith(".safetensors"):
            raise ModelError(
                f"{index} names {name!r}; "
                "weights are loaded only from .safetensors files beside it, which its digest covers"
            )
    return sorted(set(shards.values()))


def _parameters_of(file: Path) -> int:
    with file.open("rb") as stream:
        prefix = stream.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        if not 0 < length <= file.stat().st_size:
            raise ModelError(f"{file} is not a safetensors file, or is cut off; fetch it again")
        with blamed_on(f"{file} has a broken safetensors header; fetch it again", ModelError):
            header = json.loads(stream.read(length))
            return sum(
                math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__"
            )
