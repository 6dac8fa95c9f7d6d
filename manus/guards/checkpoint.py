"""Keeps checkpoints whole: sealed by a manifest before they get their name, the newest whole one is used."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from manus.errors import FULL_DISK
from manus.files import put_in_place, sealed, sha256_of, write_json
from manus.guards.ranks import say

SEAL = "sealed.json"
PREFIX = "checkpoint-"
STAGING = ".staging"
# What safetensors and torch.save say of it, the latter in three ways.
FULL_DISK_WORDS = (
    "No space left",
    "os error 28",
    "os error 122",
    "file write failed",
    "failed writing file",
    "iostream error",
    "unexpected pos",
)


@dataclass(frozen=True, slots=True)
class Counters:
    """What a run has counted so far; it goes on counting from there after a kill.

    `loss` is the last logged one; `unlogged_loss` is the sum over the `unlogged_steps` since then.
    """

    tokens: int = 0
    work_seconds: float = 0.0
    loss: float | None = None
    unlogged_loss: float = 0.0
    unlogged_steps: int = 0
    ranks: int = 1


def seal(staged: Path, final: Path, counters: Counters) -> None:
    """Bring a checkpoint's files to the disk, write their sizes and hashes last, give it its name."""
    write_json(staged / SEAL, {"files": sealed(staged), "counters": asdict(counters)})
    put_in_place(staged, final)


def _seal_of(checkpoint: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
    return value


def counters_of(checkpoint: Path) -> Counters:
    """Return what had been counted when a whole checkpoint was sealed."""
    return Counters(**_seal_of(checkpoint)["counters"])


def is_whole(checkpoint: Path) -> bool:
    """Tell whether every file of a checkpoint has the size and hash it was sealed with."""
    try:
        return all(
            (checkpoint / name).stat().st_size == size and sha256_of(checkpoint / name) == digest
            for name, (size, digest) in _seal_of(checkpoint)["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
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
        say(f"{checkpoint.name} is torn and passed over")
    return None


def remove_leftovers(folder: Path, newest: Path | None) -> None:
    """Remove what a kill left half-written: the staging folder, torn checkpoints after the last whole one."""
    shutil.rmtree(folder / STAGING, ignore_errors=True)
    for checkpoint in checkpoints(folder):
        if checkpoint == newest:
            return
        shutil.rmtree(checkpoint)


def best(found: list[Path]) -> Path | None:
    """Return the checkpoint whose last logged training loss was the lowest."""
    losses = {}
    for checkpoint in found:
        try:
            loss = counters_of(checkpoint).loss
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a torn one is never the best
        if loss is not None:
            losses[checkpoint] = loss
    return min(losses, key=lambda checkpoint: losses[checkpoint], default=None)


def remove_older(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints and the best one."""
    found = checkpoints(folder)
    keeps = {*found[:keep], best(found)}
    for checkpoint in found:
        if checkpoint not in keeps:
            shutil.rmtree(checkpoint)


def is_disk_full(error: BaseException) -> bool:
    """Tell whether a library failed to write because the disk is full; each says it in its own way."""
    earlier = error.__cause__ or error.__context__
    if isinstance(error, OSError):
        return error.errno in FULL_DISK
    return any(word in str(error) for word in FULL_DISK_WORDS) or (
        earlier is not None and is_disk_full(earlier)
    )
