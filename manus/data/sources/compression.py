"""Plain copies of compressed files, made once: what is compressed cannot be read from the middle.

Knows gzip and Zstandard; knows nothing of what stands in the files.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from manus.data.sources.cache import cached
from manus.data.sources.indexing import changed_while_read
from manus.errors import DataError
from manus.files import sha256_of
from manus.guards.progress import progress
from manus.guards.run import RUN

CODECS = {".gz": "gzip", ".zst": "zstd"}
BLOCK_BYTES = 4 << 20
SPARE_BYTES = 1_000_000_000
MEGABYTE = 1_000_000


def is_compressed(path: Path) -> bool:
    """Tell whether a file's ending says that it is compressed."""
    return path.suffix in CODECS


def open_compressed(raw: IO[bytes], path: Path) -> IO[bytes]:
    """Return a stream of a compressed file's content."""
    import pyarrow

    stream = pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, mode="r"), CODECS[path.suffix])
    return cast("IO[bytes]", stream)


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
        stream: Any = open_compressed(raw, path)
        while True:
            RUN.cross(title)
            try:
                block = stream.read(BLOCK_BYTES)
            except OSError as error:
                raise DataError(f"data {path}: cannot be decompressed, is it whole? {error}") from None
            if not block:
                return
            if shutil.disk_usage(cache).free < SPARE_BYTES:
                raise DataError(
                    f"data {path}: {cache} has no room for a plain copy, which large compressed files need; free some, "
                    "or name a larger disk in MANUS_CACHE_DIR"
                )
            yield block
            advance(raw.tell() // MEGABYTE)
