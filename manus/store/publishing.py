"""Shows stored files in a recipe's folder, by hard link where the file system can. Knows nothing of plans."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from manus.store.manifest import MANIFEST, Manifest


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it where the file system cannot link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def same_file(stored: Path, shown: Path) -> bool:
    """Tell whether a published file is the stored one, by inode or, for a copy, by size and time."""
    try:
        a, b = stored.stat(), shown.stat()
    except OSError:
        return False
    return (a.st_ino, a.st_dev) == (b.st_ino, b.st_dev) or (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns)


def publish_folder(stored: Path, view: Path) -> None:
    """Show a stored artifact at `view`, replacing what was shown there; the manifest comes last."""
    view.parent.mkdir(parents=True, exist_ok=True)
    incoming, outgoing = (view.with_name(f".{view.name}.{suffix}") for suffix in ("incoming", "outgoing"))
    for leftover in (incoming, outgoing):
        shutil.rmtree(leftover, ignore_errors=True)
    manifest = Manifest.read(stored)
    assert manifest is not None, f"{stored} was published before it was sealed"
    for name in (*manifest.files, MANIFEST):
        link_or_copy(stored / name, incoming / name)
    if view.exists():
        view.rename(outgoing)
    incoming.rename(view)
    shutil.rmtree(outgoing, ignore_errors=True)


def publish_file(stored: Path, view: Path) -> None:
    """Show one stored file at `view`, replacing what was shown there in one step."""
    view.parent.mkdir(parents=True, exist_ok=True)
    incoming = view.with_name(f".{view.name}.incoming")
    incoming.unlink(missing_ok=True)
    link_or_copy(stored, incoming)
    incoming.replace(view)
