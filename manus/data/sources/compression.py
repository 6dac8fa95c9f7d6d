"""Plain copies of compressed files, made once: what is compressed cannot be read from the middle.

Knows the compressions; knows nothing of what stands in the files.
"""

from __future__ import annotations

import io
import lzma
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from manus.data.sources.cache import cached
from manus.data.sources.indexing import changed_while_read
from manus.errors import DataError
from manus.files import sha256_of
from manus.guards.progress import progress
from manus.guards.run import RUN


def _by_arrow(codec: str) -> Callable[[IO[bytes]], IO[bytes]]:
    def open_stream(raw: IO[bytes]) -> IO[bytes]:
        import pyarrow

        return cast("IO[bytes]", pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, mode="r"), codec))

    return open_stream


# By the ending of a file's name: what makes a stream of its content of one of its bytes.
CODECS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    ".gz": _by_arrow("gzip"),
    ".zst": _by_arrow("zstd"),
    ".xz": lambda raw: cast("IO[bytes]", lzma.LZMAFile(raw)),  # noqa: SIM115, it is closed with `raw`
}
TORN = (OSError, EOFError, lzma.LZMAError)
BLOCK_BYTES = 4 << 20
SPARE_BYTES = 1_000_000_000
MEGABYTE = 1_000_000


def is_compressed(path: Path) -> bool:
    """Tell whether a file's ending says that it is compressed."""
    return path.suffix in CODECS


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, decompressed if its ending says it is compressed; a torn one is a message for users."""
    if not is_compressed(path):
        return path.open("rb")
    return cast("IO[bytes]", io.BufferedReader(_Content(path), BLOCK_BYTES))


class _Content(io.RawIOBase):
    """What stands in a compressed file."""

    def __init__(self, path: Path) -> None:
        self.path, self.raw = path, path.open("rb")
        self.stream = CODECS[path.suffix](self.raw)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.stream.read(len(buffer))
        except TORN as error:
            raise torn(self.path, error) from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.raw.close()
        super().close()


def torn(path: Path, error: BaseException) -> DataError:
    """Return what to raise for a file that cannot be decompressed."""
    return DataError(f"data {path}: cannot be decompressed, is it whole? {error}")


def plain(path: Path, digest: str, cache: Path) -> tuple[Path, str | None]:
    """Return a file that can be read from the middle: itself, or, where it is compressed, a plain copy.

    With it comes the digest that it must still have when it is read; None: nobody else writes it.
    """
    return (plain_copy(path, digest, cache), None) if is_compressed(path) else (path, digest)


def plain_copy(path: Path, digest: str, cache: Path) -> Path:
    """Return a plain copy of a compressed file, from the cache or made now; a kill leaves none.

    Raises:
        DataError: the file is torn or another one than was digested, or the disk has no room for the copy.
        Interrupted: a signal came.
    """

    def build(target: Path) -> None:
        with target.open("wb") as stream:
            for block in _blocks(path, cache):
                stream.write(block)
        if sha256_of(path) != digest:
            raise changed_while_read(path)

    return cached(cache / f"{digest}.plain", build)


def _blocks(path: Path, cache: Path) -> Iterator[bytes]:
    title = f"decompress {path.name}"
    with path.open("rb") as raw, progress(title, path.stat().st_size // MEGABYTE, "MB") as advance:
        stream = CODECS[path.suffix](raw)
        while True:
            RUN.cross(title)
            try:
                block = stream.read(BLOCK_BYTES)
            except TORN as error:
                raise torn(path, error) from None
            if not block:
                return
            if shutil.disk_usage(cache).free < SPARE_BYTES:
                raise DataError(
                    f"data {path}: {cache} has no room for a plain copy, which large compressed files need; "
                    "free some, or name a larger disk in MANUS_CACHE_DIR"
                )
            yield block
            advance(raw.tell() // MEGABYTE)
