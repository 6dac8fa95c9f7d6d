"""Removes from the store what no recipe refers to any more. Builds nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from manus.errors import InputError
from manus.files import bytes_of
from manus.plan.planner import saved_plan
from manus.store.manifest import Manifest
from manus.store.store import KEY, Store


def remove_unreferenced(output_dir: Path, is_dry: bool) -> list[tuple[str, int]]:
    """Remove stored artifacts that no recipe's `plan.json` refers to; return their names and sizes in bytes.

    Raises:
        InputError: the folder holds no store, or a `plan.json` in it cannot be read, so what it refers to is not known.
    """
    store = Store(output_dir)
    if not store.root.is_dir():
        raise InputError(f"{output_dir}: there is no .store here; give the folder that results go to")
    plans = [saved_plan(path) for path in output_dir.glob("*/plan.json")]
    kept = {artifact["key"] for plan in plans for artifact in plan["artifacts"].values()}
    removed = []
    for folder in sorted(store.root.iterdir()):
        if folder.name in kept or not KEY.fullmatch(folder.name) or not folder.is_dir():
            continue
        manifest = Manifest.read(folder)
        work = store.work_folder(folder.name)  # checkpoints may lie elsewhere
        parts = [folder] if work.parent == folder or not work.exists() else [folder, work]
        size = sum(bytes_of(part) for part in parts)
        removed.append((f"{f'{manifest.kind}/{manifest.name}' if manifest else 'unfinished'} {folder.name}", size))
        if not is_dry:
            with store.lock(folder.name):
                for part in parts:
                    shutil.rmtree(part)
    return removed
