"""Reads CTranslate2's `model.bin`: named arrays behind one header. Knows no architecture, needs no torch.

The layout, all numbers little-endian, as CTranslate2's `model_spec.py` writes it since version 4 of its
format:

    uint32 version, text specification, uint32 revision
    uint32 count, then for each variable: text name, uint8 rank, rank x uint32 shape, uint8 type,
        uint32 bytes, the data
    uint32 count, then for each alias: text name, text name of the variable it stands for

A text is a uint16 length, then that many bytes, the last one zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from manus.errors import ModelError

VERSIONS = (4, 5, 6)
LARGEST_RANK = 8
TYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("i1"),
    2: np.dtype("<i2"),
    3: np.dtype("<i4"),
    4: np.dtype("<f2"),
}
BFLOAT16 = 5  # numpy has no such type

Arrays = Mapping[str, np.ndarray]


def read_name(path: Path) -> str:
    """Return the name of the specification that a file follows, as in WhisperSpec.

    Raises:
        ModelError: it is not such a file.
    """
    with path.open("rb") as stream:
        return _Reader(path, stream).start()


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return all variables of a file by name, aliases included.

    Raises:
        ModelError: it is not such a file, is cut off, or holds a type that numpy has not.
    """
    with path.open("rb") as stream:
        reader = _Reader(path, stream)
        reader.start()
        arrays = dict(reader.variable() for _ in range(reader.number("u4")))
        for _ in range(reader.number("u4")):
            alias, name = reader.text(), reader.text()
            if name not in arrays:
                raise ModelError(
                    f"{path}: {alias!r} stands for {name!r}, which is not there; install it again"
                )
            arrays[alias] = arrays[name]
        return arrays


class _Reader:
    """A file read from its start, each value checked against the bytes that are left."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path, self.stream, self.size = path, stream, path.stat().st_size

    def bytes(self, count: int) -> bytes:
        """Return the next bytes."""
        data = self.stream.read(count) if count <= self.size - self.stream.tell() else b""
        if len(data) != count:
            raise ModelError(f"{self.path} is cut off at byte {self.stream.tell()}; install it again")
        return data

    def number(self, kind: str) -> int:
        """Return the next unsigned number."""
        return int.from_bytes(self.bytes(int(kind[1])), "little")

    def text(self) -> str:
        """Return the next text."""
        data = self.bytes(self.number("u2"))
        try:
            return data.removesuffix(b"\0").decode("utf-8")
        except UnicodeDecodeError:
            raise ModelError(
                f"{self.path} is damaged before byte {self.stream.tell()}; install it again"
            ) from None

    def start(self) -> str:
        """Read the header and return the name of the specification."""
        version = self.number("u4")
        if version not in VERSIONS:
            raise ModelError(
                f"{self.path} is not a CTranslate2 model of format {VERSIONS[0]} to {VERSIONS[-1]}"
            )
        name = self.text()
        self.number("u4")  # the specification's revision
        return name

    def variable(self) -> tuple[str, np.ndarray]:
        """Return the next variable and its name."""
        name, rank = self.text(), self.number("u1")
        if rank > LARGEST_RANK:
            raise ModelError(f"{self.path} is damaged: {name!r} has {rank} dimensions; install it again")
        shape = tuple(self.number("u4") for _ in range(rank))
        kind, size = self.number("u1"), self.number("u4")
        if kind not in TYPES:
            named = "bfloat16" if kind == BFLOAT16 else f"the unknown type {kind}"
            raise ModelError(
                f"{self.path} stores {name!r} as {named}, which is not read here; use its float16 model"
            )
        if size != math.prod(shape) * TYPES[kind].itemsize:
            raise ModelError(
                f"{self.path} is damaged: {name!r} has {size} bytes for the shape {shape}; install it again"
            )
        return name, np.frombuffer(self.bytes(size), dtype=TYPES[kind]).reshape(shape)
