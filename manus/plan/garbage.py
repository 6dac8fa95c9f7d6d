"""Removes from the store what no recipe refers to any more, and nobody builds. Builds nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from manus.errors import InputError
from manus.files import bytes_of
from manus.plan.saved_plan import saved_plan
from manus.store.manifest import Manifest
from manus.store.store import KEY, Store


class References:
    """The keys that recipes' `plan.json` refer to, read again when one of these files changes."""

    def __init__(self, output_dir: Path) -> None:
        self.output_dir = output_dir
        self._read_at: dict[Path, int] = {}
        self._keys: set[str] = set()

    def __contains__(self, key: str) -> bool:
        now = {path: path.stat().st_mtime_ns for path in self.output_dir.glob("*/plan.json")}
        if now != self._read_at:
            plans = [saved_plan(path) for path in now]
            self._keys = {artifact["key"] for plan in plans for artifact in plan["artifacts"].values()}
            self._read_at = now
        return key in self._keys


def remove_unreferenced(output_dir: Path, is_dry: bool) -> list[tuple[str, int]]:
    """Remove stored artifacts that no recipe's `plan.json` refers to; return their names and sizes in bytes.

    What a process builds now stays: it is somebody's, whatever has become of the recipe since.

    Raises:
        InputError: the folder holds no store, or a `plan.json` in it cannot be read, so what it refers to is
            not known.
    """
    store, referred = Store(output_dir), References(output_dir)
    if not store.root.is_dir():
        raise InputError(f"{output_dir}: there is no .store here; give the folder that results go to")
    removed = []
    for folder in sorted(store.root.iterdir()):
        if folder.name in referred or not KEY.fullmatch(folder.name) or not _is_own_folder(folder):
            continue
        with store.lock_if_free(folder.name) as is_held:
            # It may have been built, and its recipe planned, since it was looked at.
            if is_held and folder.name not in referred:
                removed.append(_removed(store, folder, is_dry))
    return removed


def _is_own_folder(path: Path) -> bool:
    """Tell whether a folder is there; a link is no folder of ours, and what it leads to is the user's."""
    return path.is_dir() and not path.is_symlink()


def _removed(store: Store, folder: Path, is_dry: bool) -> tuple[str, int]:
    """Remove an artifact with its checkpoints, unless `is_dry`; return its name and size in bytes."""
    manifest = Manifest.read(folder)
    work = store.work_folder(folder.name)  # checkpoints may lie elsewhere
    parts = [folder] if work.parent == folder or not _is_own_folder(work) else [folder, work]
    size = sum(bytes_of(part) for part in parts)
    for part in () if is_dry else parts:
        shutil.rmtree(part)
    return f"{f'{manifest.kind}/{manifest.name}' if manifest else 'unfinished'} {folder.name}", size
