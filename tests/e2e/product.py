"""Runs the product as a user does: real Snakemake, real processes, a pico model."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Product:
    """A working directory of a user, with a recipe in it."""

    folder: Path
    recipe: Path

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.recipe.stem

    def edit(self, old: str, new: str) -> None:
        text = self.recipe.read_text()
        assert old in text, f"{old!r} is not in the recipe"
        self.recipe.write_text(text.replace(old, new))

    def snakemake(self, *arguments: str, config: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(BIN / "snakemake"), "-s", str(ROOT / "Snakefile"), "--directory", str(self.folder)]
        command += ["--cores", "1", "--config", f"recipe={self.recipe.name}", *config.split(), "--", *arguments]
        flags = [argument for argument in arguments if argument.startswith("-")]
        targets = [argument for argument in arguments if not argument.startswith("-")]
        command = [*command[: command.index("--")], *flags, *(["--", *targets] if targets else [])]
        return run(command, self.folder, check)

    def manus(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run([sys.executable, "-m", "manus", *arguments], self.folder, check)

    def plan(self) -> dict[str, str]:
        """What `manus plan` says will happen, by artifact."""
        told = json.loads(self.manus("plan", self.recipe.name, "--json").stdout)
        return {row["id"]: row["action"] for row in told["next_run"]}

    def dry_run(self) -> set[str]:
        """The artifacts whose jobs `snakemake -n` lists."""
        kinds = ("detect", "base", "data", "train", "evaluate", "merge", "report")
        done = self.snakemake("-n")
        lines = (done.stdout + done.stderr).splitlines()
        words = [line.split(": ")[1].split() for line in lines if line.startswith("Job ")]
        return {"/".join(pair[:2]) for pair in words if pair[0] in kinds}


def run(command: list[str], folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=600)
    assert not check or done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def environment(folder: Path) -> dict[str, str]:
    cache = {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "XDG_STATE_HOME": str(folder / "state"),
    }
    return {**os.environ, **cache}


def digest(folder: Path) -> dict[str, str]:
    """The sha256 of every weight file below a folder."""
    files = sorted(folder.rglob("*.safetensors"))
    assert files, f"{folder} holds no weights"
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def manifest(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return value
