"""What this machine and its libraries are, as in manifests, with no host name or path; a home for caches."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from manus.errors import InputError

RECORDED_LIBRARIES = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "bitsandbytes",
    "tokenizers",
    "snakemake",
)


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that shape results."""
    versions = {"python": platform.python_version()}
    for library in RECORDED_LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[library] = metadata.version(library)
    return versions


def hardware() -> dict[str, Any]:
    """Return the processor, its cores, the memory in GB and the GPUs, without a host name."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    memory_gb = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    gpus = [
        line.split(":", 1)[1].strip()
        for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        for line in _lines(path)
        if line.startswith("Model")
    ]
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_gb": memory_gb, "gpus": gpus}


def _lines(path: str | Path) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def ensure_home() -> None:
    """Give a process a home of its own where its user has none, as in a container under a bare number.

    Libraries and ours keep caches below it; it is a folder for temporary files then, and that is said.

    Raises:
        InputError: that folder is somebody else's.
    """
    if _has_home():
        return
    folder = Path(tempfile.gettempdir()) / f"manus-home-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise InputError(
            f"there is no home folder that can be written to, and {folder} is another user's; set HOME"
        )
    os.environ["HOME"] = str(folder)
    print(
        f"no home folder that can be written to: caches go to {folder}; set HOME to keep them",
        file=sys.stderr,
    )


def _has_home() -> bool:
    try:
        home = Path.home()
    except RuntimeError:
        return False
    there = next(folder for folder in (home / ".cache", home, *home.parents) if folder.is_dir())
    return os.access(there, os.W_OK) or (home / ".cache").is_dir()
