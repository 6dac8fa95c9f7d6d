"""Files that are derived from others and shared between runs, by digest. Knows nothing of what they hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from manus.files import put_in_place
from manus.guards.ranks import say
from manus.guards.run import RUN
from manus.locks import held, held_if_free


def cache_folder() -> Path:
    """Return where derived files lie: `$MANUS_CACHE_DIR`, or `manus/data` in the user's cache folder."""
    chosen = os.environ.get("MANUS_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen) if chosen else user / "manus" / "data"


def cached(path: Path, build: Callable[[Path], None]) -> Path:
    """Return a file, built now unless it is there; several processes build it once.

    Args:
        path: where it will be. It gets this name when it is whole, so a kill leaves nothing that looks like
            it.
        build: writes it under another name. What an earlier, killed builder left there is gone.

    Raises:
        Interrupted: a signal came.
    """
    if path.exists():
        return path
    with held(
        path.with_name(f"{path.name}.lock"),
        lambda _: say(f"waiting: another process builds {path.name}"),
        lambda: RUN.cross(f"waiting for {path.name}"),
    ):
        if not path.exists():
            staging = path.with_name(f"{path.name}.building")
            staging.unlink(missing_ok=True)
            build(staging)
            put_in_place(staging, path)
    return path


def sizes(folder: Path) -> list[tuple[str, int]]:
    """Return the derived files in the cache, with their sizes in bytes; locks are none."""
    if not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if path.is_file() and path.suffix != ".lock"]
    return sorted((path.name, path.stat().st_size) for path in files)


def clear(folder: Path) -> None:
    """Remove all derived files but those that are being built now; what needs them makes them anew.

    Whoever has one open keeps it until it is closed.
    """
    for name, _ in sizes(folder):
        with held_if_free(folder / f"{name.removesuffix('.building')}.lock") as is_held:
            if is_held:
                (folder / name).unlink(missing_ok=True)
