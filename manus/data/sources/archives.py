"""Finds media inside archives by the paths that rows name, and reads one at a time. Unpacks no archive.

Knows tar, plain or compressed, and zip; knows nothing of rows.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from manus.data.media.errors import MediaError
from manus.data.media.fetching import LARGEST_BYTES
from manus.data.media.references import kind_of_file
from manus.data.sources.compression import is_compressed, plain_copy
from manus.errors import DataError
from manus.guards.run import RUN
from manus.store.digests import Digests

END_OF_TAR = bytes(1024)


class Member(NamedTuple):
    """A file in an archive; of a tar, also where its bytes stand."""

    archive: Path
    name: str
    offset: int | None
    size: int


class Archives:
    """Several archives as one folder of media."""

    def __init__(self, files: Sequence[Path], digests: Digests, cache: Path) -> None:
        """List what the archives hold.

        Args:
            files: the archives, of kinds in `settings.ARCHIVE_ENDINGS`.
            digests: remembers the digests of large files.
            cache: where a plain copy of a compressed tar goes, which cannot be read from the middle.

        Raises:
            DataError: one is torn, or the disk has no room for its plain copy.
            Interrupted: a signal came.
        """
        self._zips: dict[
            tuple[int, Path], zipfile.ZipFile
        ] = {}  # by process: they keep their place in the file
        self._by_path: dict[tuple[str, ...], Member] = {}
        self._by_file_name: dict[str, list[Member]] = {}
        for file in files:
            for member in self._members(file, digests, cache):
                path = _parts(member.name)
                self._by_path[path] = member
                self._by_file_name.setdefault(path[-1], []).append(member)

    def __len__(self) -> int:
        return len(self._by_path)

    def find(self, path: str) -> Member | None:
        """Return the file that a path names; None where there is none.

        Folders that only the path or only the archive knows are passed over, where that leaves one file.
        """
        wanted = _parts(path)
        if wanted in self._by_path or not wanted:
            return self._by_path.get(wanted)
        named = [one for one in self._by_file_name.get(wanted[-1], []) if _is_tail(_parts(one.name), wanted)]
        return named[0] if len(named) == 1 else None

    def read(self, member: Member) -> bytes:
        """Return the bytes of a file.

        Raises:
            MediaError: it is damaged.
        """
        if member.size > LARGEST_BYTES:
            raise MediaError(f"{member.name} in {member.archive.name}: more than {LARGEST_BYTES:,} bytes")
        try:
            if member.offset is None:
                return self._zip(member.archive).read(member.name)
            with member.archive.open("rb") as stream:
                stream.seek(member.offset)
                content = stream.read(member.size)
        except (
            OSError,
            zipfile.BadZipFile,
            zlib.error,
            RuntimeError,
        ) as error:  # the last: a password, a codec
            raise MediaError(f"{member.name} in {member.archive.name}: cannot be read: {error}") from None
        if len(content) < member.size:
            raise MediaError(f"{member.name} in {member.archive.name}: the archive ends within it")
        return content

    def _zip(self, file: Path) -> zipfile.ZipFile:
        key = (os.getpid(), file)
        if key not in self._zips:
            self._zips[key] = zipfile.ZipFile(file)
        return self._zips[key]

    def _members(self, file: Path, digests: Digests, cache: Path) -> Iterator[Member]:
        try:
            if file.suffix == ".zip":
                found = [
                    Member(file, one.filename, None, one.file_size) for one in self._zip(file).infolist()
                ]
            else:
                found = list(
                    _of_tar(plain_copy(file, digests.of_file(file), cache) if is_compressed(file) else file)
                )
        except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise DataError(
                f"data {file.name}: not an archive that can be read, is it whole? {error}"
            ) from None
        return (member for member in found if kind_of_file(member.name))


def _of_tar(file: Path) -> Iterator[Member]:
    with tarfile.open(file, "r:") as tar:
        for one in tar:
            RUN.cross(f"listing {file.name}")
            if one.isreg():
                yield Member(file, one.name, one.offset_data, one.size)
    with file.open("rb") as stream:
        stream.seek(-len(END_OF_TAR), 2)
        if stream.read() != END_OF_TAR:  # what `tarfile` does not mind
            raise tarfile.ReadError("the end is missing")


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(path).parts if part not in ("/", "."))


def _is_tail(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shared = min(len(one), len(other))
    return one[-shared:] == other[-shared:]
