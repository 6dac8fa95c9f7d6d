"""Digests of files and folders, remembered by size and time so that what is large or many is read once."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from manus.files import sha256_of, write_atomically
from manus.store.keys import key_of

REMEMBER_FROM_BYTES = 4_000_000
MANY = 32  # files that are remembered together, however small they are
SETTLED_SECONDS = 2.0  # a file may change twice within one tick of a file system's clock, which is 2 s on FAT


class Digests:
    """A memory of sha256 digests across runs, in the user's cache folder.

    Large files are remembered in one file, `known`. Sets of many files have a file each, so that a plan reads
    no more than it asks for.
    """

    def __init__(self, memory: Path | None = None) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.memory = memory or cache / "manus" / "digests.json"
        self.known: dict[str, str] = _read(self.memory)
        self.is_changed = False

    def of_file(self, path: Path) -> str:
        """Return the sha256 of a file's content."""
        found = path.stat()
        identity = _identity(found)
        if found.st_size < REMEMBER_FROM_BYTES or identity is None:
            return sha256_of(path)
        if identity in self.known:
            return self.known[identity]
        digest = sha256_of(path)
        if identity == _identity(path.stat()):  # it was not changed while it was read
            self.known[identity] = digest
            self.is_changed = True
        return digest

    def of_files(self, paths: dict[str, Path]) -> str:
        """Return one digest over named files: their names and contents."""
        return key_of({name: self.of_file(path) for name, path in paths.items()})

    def of_each(self, title: str, paths: Mapping[str, str]) -> dict[str, str]:
        """Return the digests of the files that are there, by name.

        Args:
            title: what the files are, and where; they are remembered under it, in place of what was there
                before.
            paths: the files by name, any number of them; in text, because a Path takes ten times as long to
                make.
        """
        if len(paths) < MANY:
            return {name: self.of_file(Path(path)) for name, path in paths.items() if Path(path).is_file()}
        earlier, now, found = _read(self._memory_of(title)), dict[str, str](), dict[str, str]()
        for name, path in paths.items():
            status = _status(path)
            if status is None:
                continue
            identity = _identity(status)
            if identity is None:
                found[name] = sha256_of(Path(path))
                continue
            is_same = str(earlier.get(name)).startswith(f"{identity} ")
            now[name] = earlier[name] if is_same else f"{identity} {sha256_of(Path(path))}"
            found[name] = now[name].rpartition(" ")[2]
        if now != earlier:
            _write(self._memory_of(title), now)
        return found

    def recalled(self, title: str, source: str, find: Callable[[], list[str]]) -> list[str]:
        """Return what was found earlier, or is found now where that was found in another content.

        Args:
            title: what is found, and where; it is remembered under it.
            source: the digest of the content it is found in.
            find: finds it.
        """
        earlier = _read(self._memory_of(title))
        if earlier.get("source") == source:
            found: list[str] = earlier["found"]
            return found
        found = find()
        _write(self._memory_of(title), {"source": source, "found": found})
        return found

    def _memory_of(self, title: str) -> Path:
        return self.memory.with_suffix("") / f"{key_of({'title': title})}.json"

    def save(self) -> None:
        """Remember the new digests of large files."""
        if self.is_changed:
            _write(self.memory, _read(self.memory) | self.known)


def _status(path: str) -> os.stat_result | None:
    """Return what is known of a file without opening it; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):  # the latter: no file can be called so
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _identity(found: os.stat_result) -> str | None:
    """Return what tells a file's content from others without reading it; None where it was changed just now.

    Its `ctime` cannot be set back.
    """
    if abs(time.time() - found.st_ctime) < SETTLED_SECONDS:
        return None
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write(path: Path, value: dict[str, Any]) -> None:
    """Remember something; a cache folder that cannot be written only costs time next run."""
    try:
        write_atomically(path, json.dumps(value), is_durable=False)
    except OSError as error:
        print(f"digests are not remembered: {path}: {error.strerror}")
