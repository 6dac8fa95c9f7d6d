"""What a manifest says of an artifact, and whether its files are as it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from manus.files import sha256_of
from manus.store.keys import canonical

SCHEMA_VERSION = 2
MANIFEST = "manifest.json"


def seal_of(manifest: Mapping[str, Any]) -> str:
    """Return the digest over what a manifest says, but for the seal itself."""
    said = {name: value for name, value in manifest.items() if name != "seal"}
    return hashlib.sha256(canonical(said).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Size in bytes and sha256 of one file of an artifact."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an artifact is, what made it, and which files it consists of."""

    kind: str
    name: str
    key: str
    made_from: dict[str, Any]
    parents: dict[str, str]
    files: dict[str, StoredFile]
    seed: int
    versions: dict[str, str]
    hardware: dict[str, Any]
    started: str
    ended: str
    seconds: float
    metrics: dict[str, Any]
    schema_version: int = SCHEMA_VERSION
    seal: str = ""  # the sha256 of all that stands above

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """Return the manifest of a folder, or None when there is none that can be read, or it was changed.

        One of another version is none: what it says may mean something else.
        """
        try:
            raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if raw["seal"] != seal_of(raw):
                return None
            files = {name: StoredFile(**entry) for name, entry in raw.pop("files").items()}
            found = cls(files=files, **raw)
            return (
                found if found.schema_version == SCHEMA_VERSION and all(map(_stays_inside, files)) else None
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parts != () and not path.is_absolute() and ".." not in path.parts


def damage(folder: Path, deep: bool = False) -> str | None:
    """Return what is wrong with an artifact's folder, or None when it is whole.

    Sizes are always compared. The sha256 is compared for files modified after the manifest was
    written, and for all files when `deep`.
    """
    manifest = Manifest.read(folder)
    if manifest is None:
        return f"{MANIFEST} is missing, unreadable or was changed"
    sealed_at = (folder / MANIFEST).stat().st_mtime_ns
    for name, stored in manifest.files.items():
        path = folder / name
        try:
            found = path.stat()
        except OSError:
            return f"{name} is missing"
        if found.st_size != stored.bytes:
            return f"{name} has {found.st_size} bytes instead of {stored.bytes}"
        if (deep or found.st_mtime_ns > sealed_at) and sha256_of(path) != stored.sha256:
            return f"{name} was changed after it was made"
    return None
