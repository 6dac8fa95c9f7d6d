"""Runs the product as a user does: real Snakemake, real processes, a pico model."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

# How long a run may show nothing new: a busy machine makes it slow by the clock, not by the processor time it
# needs.
IDLE_SECONDS = 120
LEAST_WORK_SECONDS = (
    1.0  # what uses less processor time in IDLE_SECONDS stands still: a pause looks up now and then
)
PROCESSOR_SECONDS = 120
AFTER_ITS_END_SECONDS = 30

STARTED: list[subprocess.Popen[bytes]] = []  # each the first of a session of its own


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

    def snakemake(
        self, *arguments: str, config: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = [str(BIN / "snakemake"), "-s", str(ROOT / "Snakefile"), "--directory", str(self.folder)]
        command += [
            "--cores",
            "1",
            "--config",
            f"recipe={self.recipe.name}",
            *config.split(),
            "--",
            *arguments,
        ]
        flags = [argument for argument in arguments if argument.startswith("-")]
        targets = [argument for argument in arguments if not argument.startswith("-")]
        command = [*command[: command.index("--")], *flags, *(["--", *targets] if targets else [])]
        return run(command, self.folder, check)

    def start(self, *arguments: str, **variables: str) -> Run:
        """Start a command of ours and return at once."""
        return start([sys.executable, "-m", "manus", *arguments], self.folder, **variables)

    def start_snakemake(self, *targets: str) -> Run:
        """Start the whole recipe, or what it needs for targets, as a user in the working directory does."""
        command = [str(BIN / "snakemake"), "-s", str(ROOT / "Snakefile"), "--cores", "1"]
        return start([*command, "--config", f"recipe={self.recipe.name}", "--", *targets], self.folder)

    def manus(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run([sys.executable, "-m", "manus", *arguments], self.folder, check)

    def plan(self) -> dict[str, str]:
        """What `manus plan` says will happen, by artifact."""
        told = json.loads(self.manus("plan", self.recipe.name, "--json").stdout)
        return {row["id"]: row["action"] for row in told["next_run"]}

    def dry_run(self) -> set[str]:
        """The artifacts whose jobs `snakemake -n` lists."""
        kinds = ("detect", "base", "data", "train", "evaluate", "merge", "feature", "report")
        done = self.snakemake("-n")
        lines = (done.stdout + done.stderr).splitlines()
        words = [line.split(": ")[1].split() for line in lines if line.startswith("Job ")]
        return {"/".join(pair[:2]) for pair in words if pair[0] in kinds}


@dataclass(frozen=True)
class Run:
    """A process that runs, with its output in a file. Waiting ends without a sign of life, not by a clock.

    A sign of life is a longer output or another state or step in a `status.json` below its folder. Between
    two of them it may use PROCESSOR_SECONDS, as imports do, and stand still for IDLE_SECONDS.
    """

    process: subprocess.Popen[bytes]
    folder: Path
    file: Path
    errors: Path | None = None

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.file.read_text(errors="replace")

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        self.until(lambda: self.process.poll() is not None, "its end")
        return self.process.wait()

    def until(self, is_so: Callable[[], Any], what: str) -> Any:
        """Wait until something is so, while the run shows signs of life, and return it."""
        shown, shown_at, used = self._shown(), time.monotonic(), self._used()
        worked_at, worked = shown_at, used
        while True:
            has_ended = self.process.poll() is not None
            if found := is_so():
                return found
            now, spent = time.monotonic(), self._used()
            if (new := self._shown()) != shown:
                shown, worked_at, used, worked = new, now, spent, spent
            elif spent - worked >= LEAST_WORK_SECONDS:
                worked_at, worked = now, spent
            grace = f"in vain for {what}; the last output:\n{self.output[-3000:]}"
            assert not has_ended or now - worked_at < AFTER_ITS_END_SECONDS, (
                f"it ended with {self.process.returncode}, waited {grace}"
            )
            assert now - worked_at < IDLE_SECONDS, f"nothing moved for {IDLE_SECONDS} s, waited {grace}"
            assert spent - used < PROCESSOR_SECONDS, (
                f"{PROCESSOR_SECONDS} s of work showed nothing, waited {grace}"
            )
            time.sleep(0.05)

    def _shown(self) -> tuple[Any, ...]:
        states = []
        for path in sorted(self.folder.glob("results/.store/*/work/status.json")):
            with contextlib.suppress(FileNotFoundError):  # published between the two lines
                told = json.loads(path.read_text())
                states.append((path, told["state"], told.get("step")))
        return (*(file.stat().st_size for file in (self.file, self.errors) if file), *states)

    def _used(self) -> float:
        """The processor seconds of the run and of all that it started, ended processes included."""
        total = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.process.pid)
            for each in (own, *own.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = each.cpu_times()
                    total += times.user + times.system + times.children_user + times.children_system
        return total


def start(command: list[str], folder: Path, file: Path | None = None, **variables: str) -> Run:
    """Start a command in a session of its own, in a folder.

    Its output goes to a file, `output.txt` there if none is given.
    """
    file = file or folder / "output.txt"
    with file.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**environment(folder), **variables},
            start_new_session=True,
        )
    STARTED.append(process)
    return Run(process, folder, file)


def kill_what_is_left() -> list[list[str]]:
    """End all that was started and has not ended, with all that it started; return their command lines.

    A test that fails would else leave a training behind, which would use up the time of those that follow.
    """
    sessions, left = {process.pid for process in STARTED}, []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                left.append(process.cmdline())
                process.kill()
    for started in STARTED:
        started.wait()
    STARTED.clear()
    return left


def run(command: list[str], folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with TemporaryDirectory() as scratch:
        out, err = Path(scratch) / "out", Path(scratch) / "err"
        with out.open("wb") as output, err.open("wb") as errors:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdout=output,
                stderr=errors,
                env=environment(folder),
                start_new_session=True,
            )
        STARTED.append(process)
        code = Run(process, folder, out, err).wait()
        done = subprocess.CompletedProcess(command, code, out.read_text(), err.read_text())
    assert not check or code == 0, f"{command} ended with {code}\n{done.stdout}\n{done.stderr}"
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
