"""Shows stored files in a recipe's folder, by hard link where the file system can. Knows nothing of plans.

Only what we showed is ever replaced, and removed only what bears our mark or our seal. What else stands in
the way is the user's: it is refused by name, and kept. A file of ours that the user edited is kept beside the
new one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Container
from glob import escape
from itertools import chain, count
from pathlib import Path

from manus.errors import InputError
from manus.files import sha256_of
from manus.store.manifest import MANIFEST, Manifest

MOVE_IT = "move it away, or choose another output_dir"
# Stands in a folder while we fill it or take it away: a kill may leave it, and the next run removes it.
MARK = ".manus"
EDITED = "edited"  # ends the name of a file that the user edited


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
    return (a.st_ino, a.st_dev) == (b.st_ino, b.st_dev) or (a.st_size, a.st_mtime_ns) == (
        b.st_size,
        b.st_mtime_ns,
    )


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
    for leftover in _leftovers(view, file):
        if not _may_be_removed(leftover, file, store):
            raise InputError(f"{leftover} is yours, and stands where results go for a moment; {MOVE_IT}")
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


def _is_as_made(store: Path, name: str, shown: Path) -> bool:
    """Tell whether a file has the content that some stored artifact had in it when it was sealed."""
    digest = sha256_of(shown)
    for folder in store.iterdir():
        manifest = Manifest.read(folder)
        if manifest is None:
            continue
        said = manifest.files.get(name)
        if digest == (sha256_of(folder / MANIFEST) if name == MANIFEST else said and said.sha256):
            return True
    return False


def _is_copy(stored: Path, shown: Path) -> bool:
    try:
        return stored.stat().st_size == shown.stat().st_size and sha256_of(stored) == sha256_of(shown)
    except OSError:
        return False


def _leftovers(view: Path, file: str | None) -> list[Path]:
    """Return what stands where a result goes on its way to its place, or from it."""
    suffixes = ("incoming", "outgoing") if file is None else ("incoming",)
    ways = [view.with_name(f".{view.name}.{suffix}") for suffix in suffixes]
    return [way for way in ways if way.exists() or way.is_symlink()]


def _may_be_removed(leftover: Path, file: str | None, store: Path) -> bool:
    """Tell whether a leftover is ours, of a run that was killed, or nothing is lost with it."""
    if leftover.is_symlink() or leftover.is_dir() != (file is None):
        return False
    if file is None:
        return (
            (leftover / MARK).exists() or Manifest.read(leftover) is not None or not any(leftover.iterdir())
        )
    begun = leftover.read_bytes()
    return any(one.read_bytes().startswith(begun) for one in store.glob(f"*/{escape(file)}"))


def _remove(folder: Path) -> None:
    """Take a folder of ours away; what says that it is ours goes last."""
    if not folder.exists():
        return
    (folder / MARK).touch()
    for entry in folder.iterdir():
        if entry.name != MARK:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    (folder / MARK).unlink()
    folder.rmdir()


def publish_folder(stored: Path, view: Path) -> list[Path]:
    """Show a stored artifact at `view`, replacing what was shown there; the manifest comes last.

    Files that a user laid beside ours are shown there again; a file of ours that was edited is, under another
    name.

    Returns:
        Those with another name.

    Raises:
        InputError: one of the user's has the name of a file of ours, or stands where we build a folder.
    """
    view.parent.mkdir(parents=True, exist_ok=True)
    incoming, outgoing = (view.with_name(f".{view.name}.{suffix}") for suffix in ("incoming", "outgoing"))
    for leftover in _leftovers(view, None):
        if not _may_be_removed(leftover, None, stored.parent):
            raise InputError(f"{leftover} is yours, and stands where results go for a moment; {MOVE_IT}")
    if outgoing.is_dir() and not view.exists():  # killed between the two renames
        outgoing.rename(view)
    for folder in (incoming, outgoing):
        _remove(folder)
    manifest = Manifest.read(stored)
    assert manifest is not None, f"{stored} was published before it was sealed"
    edited = _edited(view, stored.parent, manifest)
    beside = _laid_beside(view, manifest)
    incoming.mkdir()
    (incoming / MARK).touch()
    for name in beside:
        if (view / name).is_dir() and not (view / name).is_symlink():
            (incoming / name).mkdir(parents=True, exist_ok=True)
        else:
            link_or_copy(view / name, incoming / name)
    kept = {name: _free_name(name, {*beside, *edited, *manifest.files}) for name in edited}
    for name, other in kept.items():
        link_or_copy(view / name, incoming / other)
    for name in (*manifest.files, MANIFEST):
        link_or_copy(stored / name, incoming / name)
    (incoming / MARK).unlink()
    if view.exists():
        (view / MARK).touch()
        view.rename(outgoing)
    incoming.rename(view)
    _remove(outgoing)
    return [view / other for other in kept.values()]


def _edited(view: Path, store: Path, new: Manifest) -> list[str]:
    """Return the names of files of ours in a folder that are not what we showed there."""
    shown = Manifest.read(view)
    if shown is None:  # what we showed is not known: only what is stored somewhere was surely not edited
        names = [name for name in (*new.files, MANIFEST) if (view / name).is_file()]
        return [name for name in names if not _is_as_made(store, name, view / name)]
    sealed_at = (view / MANIFEST).stat().st_mtime_ns
    found = []
    for name, said in shown.files.items():
        path = view / name
        if path.is_symlink():
            found.append(name)
        elif path.is_file():
            is_as_stored = same_file(store / shown.key / name, path) and path.stat().st_mtime_ns <= sealed_at
            if path.stat().st_size != said.bytes or (not is_as_stored and sha256_of(path) != said.sha256):
                found.append(name)
    return found


def _free_name(name: str, taken: Container[str]) -> str:
    """Return the name under which an edited file is kept: one that is not taken."""
    names = chain([f"{name}.{EDITED}"], (f"{name}.{EDITED}-{number}" for number in count(2)))
    return next(one for one in names if one not in taken)


def _laid_beside(view: Path, new: Manifest) -> list[str]:
    """Return the names of the user's files, links and empty folders in a folder that we showed.

    Raises:
        InputError: a new file of ours has one of these names, or would stand in a folder of it.
    """
    shown = Manifest.read(view)
    ours = {MANIFEST, MARK, *(shown.files if shown is not None else new.files)}
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


def publish_file(stored: Path, view: Path, shown: Container[str] = ()) -> list[Path]:
    """Show one stored file at `view`, replacing what was shown there in one step.

    Args:
        stored: the file, in the folder of its artifact.
        view: where it is shown.
        shown: the sha256 of what we showed there earlier.

    Returns:
        Under which other name what stood there is kept, where the user had edited it.
    """
    view.parent.mkdir(parents=True, exist_ok=True)
    kept = []
    if (
        view.exists()
        and sha256_of(view) not in shown
        and not _is_as_made(stored.parents[1], stored.name, view)
    ):
        kept = [view.with_name(_free_name(view.name, {one.name for one in view.parent.iterdir()}))]
        link_or_copy(view, kept[0])
    incoming = view.with_name(f".{view.name}.incoming")
    incoming.unlink(missing_ok=True)
    link_or_copy(stored, incoming)
    incoming.replace(view)
    incoming.unlink(missing_ok=True)  # renaming one link of a file to another is nothing, and leaves both
    return kept
