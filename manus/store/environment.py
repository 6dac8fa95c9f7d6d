"""What this machine and its libraries are, as manifests record it: no host name, no path."""

from __future__ import annotations

import contextlib
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

RECORDED_LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "tokenizers", "snakemake")


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
