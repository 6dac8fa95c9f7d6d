"""Keeps checkpoints whole: sealed by a manifest before they get their name, the newest whole one is used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from manus.files import fsync, sha256_of, write_json

SEAL = "sealed.json"
PREFIX = "checkpoint-"


def seal(staged: Path, final: Path) -> None:
    """Bring a checkpoint's files to the disk, write their sizes and hashes last, give it its name."""
    files = {}
    for path in sorted(entry for entry in staged.rglob("*") if entry.is_file()):
        files[path.relative_to(staged).as_posix()] = [path.stat().st_size, sha256_of(path)]
        fsync(path)
    write_json(staged / SEAL, files)
    fsync(staged)
    shutil.rmtree(final, ignore_errors=True)
    staged.rename(final)
    fsync(final.parent)


def is_whole(checkpoint: Path) -> bool:
    """Tell whether every file of a checkpoint has the size and hash it was sealed with."""
    try:
        files = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        return all(
            (checkpoint / name).stat().st_size == size and sha256_of(checkpoint / name) == digest
            for name, (size, digest) in files.items()
        )
    except (OSError, ValueError):
        return False


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a run, the newest first."""
    found = [path for path in folder.glob(f"{PREFIX}*") if path.name.removeprefix(PREFIX).isdecimal()]
    return sorted(found, key=lambda path: int(path.name.removeprefix(PREFIX)), reverse=True)


def newest_whole(folder: Path) -> Path | None:
    """Return the newest whole checkpoint; say which torn ones are passed over."""
    for checkpoint in checkpoints(folder):
        if is_whole(checkpoint):
            return checkpoint
        print(f"{checkpoint.name} is torn and passed over", flush=True)
    return None


def remove_older(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints."""
    for checkpoint in checkpoints(folder)[keep:]:
        shutil.rmtree(checkpoint)
