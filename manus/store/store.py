"""The store: finished results by key, sealed by a manifest, published by hard link. Knows nothing of models.

An artifact is whole when `manifest.json` exists and says of itself what it said when it was written, every
file it names has the stated size, and no file was modified after sealing without keeping its sha256. The
manifest is therefore written last.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from manus.errors import InputError, ManusError
from manus.files import fsync, sealed, write_json
from manus.locks import held, held_if_free
from manus.store.environment import hardware, library_versions
from manus.store.keys import KEY_LENGTH
from manus.store.manifest import MANIFEST, Manifest, StoredFile, damage, seal_of
from manus.utc import timestamp

KEY = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")
LOCKS = "locks"
STAGING = ".staging"


class Store:
    """The folder `<output_dir>/.store`, one sub-folder for each key."""

    def __init__(self, output_dir: Path) -> None:
        self.root = output_dir / ".store"

    def folder(self, key: str) -> Path:
        """Return where the artifact of `key` lies, or will lie."""
        return self.root / key

    def holds(self, key: str) -> bool:
        """Tell whether a whole artifact of this key is here."""
        return (self.folder(key) / MANIFEST).exists() and self.damage(key) is None

    def damage(self, key: str) -> str | None:
        """Return what is wrong with the artifact of a key; see `damage`."""
        manifest = Manifest.read(self.folder(key))
        if manifest is not None and manifest.key != key:
            return f"{MANIFEST} is that of {manifest.key}"
        return damage(self.folder(key))

    def manifest(self, key: str) -> Manifest:
        """Return the manifest of a whole artifact.

        Raises:
            ManusError: the artifact is missing or damaged.
        """
        wrong = self.damage(key)
        manifest = Manifest.read(self.folder(key))
        if wrong is not None or manifest is None:
            raise ManusError(
                f"artifact {key} in {self.root} cannot be used: {wrong}; run snakemake to rebuild it"
            )
        return manifest

    @contextlib.contextmanager
    def lock(self, key: str, while_waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the one right to build `key`; it ends with the process.

        Args:
            key: what to hold.
            while_waiting: called again and again while another process holds it; may raise to give up.
        """
        with held(
            self.root / LOCKS / key,
            lambda process: print(f"  waiting: process {process} is building {key}", flush=True),
            while_waiting,
        ):
            yield

    def lock_if_free(self, key: str) -> contextlib.AbstractContextManager[bool]:
        """Hold that right unless another process has it; tell whether it is held."""
        return held_if_free(self.root / LOCKS / key)

    def discard(self, key: str) -> None:
        """Take away a damaged artifact's files; its checkpoints stay.

        Raises:
            InputError: a link stands there, which is not ours: what it leads to may be anything.
        """
        folder = self.folder(key)
        if folder.is_symlink():
            raise InputError(
                f"{folder} is a link of yours where results go; move it away, or choose another output_dir"
            )
        (folder / MANIFEST).unlink(missing_ok=True)
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.name != "work":
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def work_folder(self, key: str) -> Path:
        """Return where checkpoints and status lie while `key` is being built."""
        elsewhere = os.environ.get("MANUS_CHECKPOINT_DIR")
        return Path(elsewhere) / key if elsewhere else self.folder(key) / "work"

    def work(self, key: str) -> Path:
        """Return the work folder of `key`, made if need be."""
        work = self.work_folder(key)
        work.mkdir(parents=True, exist_ok=True)
        return work

    def staging(self, key: str) -> Path:
        """Return an empty folder in which to write the files of `key` before they are sealed."""
        staging = self.folder(key) / STAGING
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        return staging

    def seal(
        self, kind: str, name: str, key: str, made_from: Mapping[str, Any], started: float, made: Made
    ) -> Manifest:
        """Move the staged files into place and write the manifest last; drop the work folder."""
        folder, staging = self.folder(key), self.folder(key) / STAGING
        files = {name: StoredFile(size, digest) for name, (size, digest) in sealed(staging).items()}
        for entry in staging.iterdir():
            entry.rename(folder / entry.name)
        fsync(folder)
        ended = time.time()
        manifest = Manifest(
            kind=kind,
            name=name,
            key=key,
            made_from=dict(made_from),
            parents=dict(made_from.get("parents", {})),
            files=files,
            seed=made.seed,
            versions=library_versions(),
            hardware=hardware(),
            started=timestamp(started),
            ended=timestamp(ended),
            seconds=round(made.seconds, 1),
            metrics=made.metrics,
        )
        said = json.loads(json.dumps(asdict(manifest), allow_nan=False))
        write_json(folder / MANIFEST, {**said, "seal": seal_of(said)})
        fsync(folder)
        staging.rmdir()
        shutil.rmtree(self.work_folder(key), ignore_errors=True)
        return replace(manifest, seal=seal_of(said))


@dataclass(frozen=True, slots=True)
class Made:
    """What a builder reports beside the files it staged."""

    seed: int
    metrics: dict[str, Any]
    seconds: float = 0.0  # of work: pauses do not count
