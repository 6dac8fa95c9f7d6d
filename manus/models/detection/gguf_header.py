"""Reads the header of a GGUF file: its keys, and the shapes and types of its tensors. Never reads a tensor.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from manus.errors import ModelError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
_PLAIN_TYPES = {
    0,
    1,
    24,
    25,
    26,
    27,
    28,
    30,
}  # F32 F16 I8 I16 I32 I64 F64 BF16; every other type is quantized


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of itself: scalar keys, the lengths of its arrays, its number of weights."""

    values: dict[str, Any]
    lengths: dict[str, int]
    parameters: int
    quantized: bool


def read_gguf_header(path: Path) -> GgufHeader:
    """Read the header of a GGUF file.

    Raises:
        ModelError: it is not a GGUF file of version 2 or 3, or it is cut off.
    """
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise ModelError(f"{path} is not a GGUF file: it does not start with {_MAGIC.decode()!r}")
        version = _scalar(file, 4, path)
        if version not in _VERSIONS:
            raise ModelError(
                f"{path} has GGUF version {version}; versions {_VERSIONS} in little-endian can be read"
            )
        tensors, keys = _scalar(file, 10, path), _scalar(file, 10, path)
        values: dict[str, Any] = {}
        lengths: dict[str, int] = {}
        for _ in range(keys):
            key, kind = _string(file, path), _scalar(file, 4, path)
            if kind == _ARRAY:
                lengths[key] = _skip_array(file, path)
            else:
                values[key] = _string(file, path) if kind == _STRING else _scalar(file, kind, path)
        parameters, types = 0, set()
        for _ in range(tensors):
            _string(file, path)
            shape = [_scalar(file, 10, path) for _ in range(_scalar(file, 4, path))]
            types.add(_scalar(file, 4, path))
            _scalar(file, 10, path)  # where its data starts
            parameters += math.prod(shape)
    return GgufHeader(values, lengths, parameters, bool(types - _PLAIN_TYPES))


def _read(file: BinaryIO, count: int, path: Path) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise ModelError(f"{path} is cut off inside its GGUF header; fetch it again")
    return data


def _form(kind: int, path: Path) -> str:
    if kind not in _SCALARS:
        raise ModelError(f"{path} has a broken GGUF header: value type {kind} does not exist; fetch it again")
    return _SCALARS[kind]


def _scalar(file: BinaryIO, kind: int, path: Path) -> Any:
    form = _form(kind, path)
    return struct.unpack(form, _read(file, struct.calcsize(form), path))[0]


def _string(file: BinaryIO, path: Path) -> str:
    return _read(file, _length(file, path), path).decode("utf-8", errors="replace")


def _length(file: BinaryIO, path: Path) -> int:
    length = int(_scalar(file, 10, path))
    if length > path.stat().st_size:
        raise ModelError(
            f"{path} has a broken GGUF header: a length of {length} exceeds the file; fetch it again"
        )
    return length


def _skip_array(file: BinaryIO, path: Path) -> int:
    """Pass over an array, a vocabulary for instance, and return its length."""
    kind, length = int(_scalar(file, 4, path)), _length(file, path)
    if kind == _STRING:
        for _ in range(length):
            (size,) = struct.unpack("<Q", _read(file, 8, path))
            file.seek(size, 1)
    elif kind == _ARRAY:
        for _ in range(length):
            _skip_array(file, path)
    else:
        file.seek(length * struct.calcsize(_form(kind, path)), 1)
    return length
