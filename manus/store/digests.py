"""Digests of files and folders, remembered by size and time so that large files are read once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from manus.files import sha256_of, write_atomically
from manus.store.keys import canonical, key_of

REMEMBER_FROM_BYTES = 4_000_000
SECONDS_OF_ONE_TIME = 2.0  # file systems tell times apart that are so far from each other


class Digests:
    """A memory of sha256 digests across runs, in the user's cache folder."""

    def __init__(self, memory: Path | None = None) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.memory = memory or cache / "manus" / "digests.json"
        self.known: dict[str, str] = _read(self.memory)
        self.is_changed = False

    def of_file(self, path: Path) -> str:
        """Return the sha256 of a file's content."""
        identity = _identity(path)
        if path.stat().st_size < REMEMBER_FROM_BYTES:
            return sha256_of(path)
        if identity in self.known:
            return self.known[identity]
        digest = sha256_of(path)
        # What was written a moment ago may be written once more without another time.
        if identity == _identity(path) and time.time() - path.stat().st_ctime > SECONDS_OF_ONE_TIME:
            self.known[identity] = digest
            self.is_changed = True
        return digest

    def of_files(self, paths: dict[str, Path]) -> str:
        """Return one digest over named files: their names and contents."""
        return key_of({name: self.of_file(path) for name, path in paths.items()})

    def save(self) -> None:
        """Remember new digests; a cache folder that cannot be written only costs time next run."""
        if not self.is_changed:
            return
        try:
            write_atomically(self.memory, canonical(_read(self.memory) | self.known))
        except OSError as error:
            print(f"digests are not remembered: {self.memory}: {error.strerror}")


def _identity(path: Path) -> str:
    """Return what changes with every change of a file's content; its `ctime` cannot be set back."""
    found = path.stat()
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def _read(path: Path) -> dict[str, str]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
