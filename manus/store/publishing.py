"""Shows stored files in a recipe's folder, by hard link where the file system can. Knows nothing of plans.

Only what we showed is ever replaced. What else stands in the way is the user's: it is refused by name, and kept.
"""

from __future__ import annotations

import os
import shutil
from glob import escape
from pathlib import Path

from manus.errors import InputError
from manus.files import sha256_of
from manus.store.manifest import MANIFEST, Manifest

MOVE_IT = "move it away, or choose another output_dir"


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it where the file system cannot link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def same_file(stored: Path, shown: Path) -> bool:
    """Tell whether a published file is the stored one, by inode or, for a copy, by size and time."""
    try:
        a, b = stored.stat(), shown.stat()
    except OSError:
        return False
    return (a.st_ino, a.st_dev) == (b.st_ino, b.st_dev) or (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns)


def check_way(view: Path, file: str | None, was_shown: bool, store: Path) -> None:
    """See to it that nothing of the user's stands where a stored artifact is shown, or is about to be.

    Args:
        view: where it is shown.
        file: the one file of the artifact that is shown there; None: all of them, with their manifest.
        was_shown: whether a stamp says that we showed something there.
        store: the folder of all artifacts.

    Raises:
        InputError: something does; names it.
    """
    above = next(folder for folder in view.parents if folder.exists() or folder.is_symlink())
    if not above.is_dir():
        raise InputError(f"{above} is a file of yours where a folder with results goes; {MOVE_IT}")
    if not view.exists() and not view.is_symlink():
        return
    if view.is_symlink() or view.is_dir() == (file is not None):
        what = "a link" if view.is_symlink() else "a folder" if view.is_dir() else "a file"
        raise InputError(f"{view} is {what} of yours where results go; {MOVE_IT}")
    if file is not None:
        if not was_shown and not _is_stored(store, file, view):
            raise InputError(f"{view} is a file of yours where results go; {MOVE_IT}")
        return
    is_damaged = was_shown and (view / MANIFEST).exists()
    if Manifest.read(view) is not None or is_damaged:
        return
    for found in view.rglob("*"):
        if not found.is_dir() and not _is_stored(store, found.relative_to(view).as_posix(), found):
            raise InputError(f"{view} is a folder of yours where results go: {found} is not ours; {MOVE_IT}")


def _is_stored(store: Path, name: str, shown: Path) -> bool:
    """Tell whether a file is the one of this name in some stored artifact."""
    return any(same_file(one, shown) or _is_copy(one, shown) for one in store.glob(f"*/{escape(name)}"))


def _is_copy(stored: Path, shown: Path) -> bool:
    try:
        return stored.stat().st_size == shown.stat().st_size and sha256_of(stored) == sha256_of(shown)
    except OSError:
        return False


def publish_folder(stored: Path, view: Path) -> None:
    """Show a stored artifact at `view`, replacing what was shown there; the manifest comes last.

    Files that a user laid beside ours are shown there again.

    Raises:
        InputError: one of them has the name of a file of ours.
    """
    view.parent.mkdir(parents=True, exist_ok=True)
    incoming, outgoing = (view.with_name(f".{view.name}.{suffix}") for suffix in ("incoming", "outgoing"))
    if outgoing.is_dir() and not view.exists():  # killed between the two renames
        outgoing.rename(view)
    for leftover in (incoming, outgoing):
        shutil.rmtree(leftover, ignore_errors=True)
    manifest = Manifest.read(stored)
    assert manifest is not None, f"{stored} was published before it was sealed"
    beside = _laid_beside(view, manifest)
    for name in beside:
        if (view / name).is_dir() and not (view / name).is_symlink():
            (incoming / name).mkdir(parents=True, exist_ok=True)
        else:
            link_or_copy(view / name, incoming / name)
    for name in (*manifest.files, MANIFEST):
        link_or_copy(stored / name, incoming / name)
    if view.exists():
        view.rename(outgoing)
    incoming.rename(view)
    shutil.rmtree(outgoing, ignore_errors=True)


def _laid_beside(view: Path, new: Manifest) -> list[str]:
    """Return the names of the user's files, links and empty folders in a folder that we showed.

    Raises:
        InputError: a new file of ours has one of these names, or would stand in a folder of it.
    """
    shown = Manifest.read(view)
    ours = {MANIFEST, *(shown.files if shown is not None else new.files)}
    found = [path for path in view.rglob("*") if _is_lost_with(path)] if view.is_dir() else []
    names = [path.relative_to(view).as_posix() for path in found]
    beside = sorted(name for name in names if name not in ours)
    taken = {*new.files, *(str(folder) for name in new.files for folder in Path(name).parents)}
    for name in beside:
        if name in taken or any(str(folder) in new.files for folder in Path(name).parents):
            raise InputError(f"{view / name} is a file of yours where one of the results goes; {MOVE_IT}")
    return beside


def _is_lost_with(path: Path) -> bool:
    """Tell whether something is more than the way to other things."""
    return path.is_symlink() or not path.is_dir() or not any(path.iterdir())


def publish_file(stored: Path, view: Path) -> None:
    """Show one stored file at `view`, replacing what was shown there in one step."""
    view.parent.mkdir(parents=True, exist_ok=True)
    incoming = view.with_name(f".{view.name}.incoming")
    incoming.unlink(missing_ok=True)
    link_or_copy(stored, incoming)
    incoming.replace(view)
    incoming.unlink(missing_ok=True)  # renaming one link of a file to another is nothing, and leaves both
