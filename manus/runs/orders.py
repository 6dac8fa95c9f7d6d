"""Gives orders to runs: pause, resume, checkpoint. Finds the one that is meant and waits for its answer.

Orders go through a file in the run's folder, so they also reach runs of other machines that share the disk.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from getpass import getuser
from pathlib import Path
from typing import Any

import psutil

from manus.errors import InputError, ManusError
from manus.guards.registry import Status
from manus.guards.requests import give_order
from manus.guards.run import ASKED_BY
from manus.guards.status_file import NAME, is_alive

ANSWER_SECONDS = 30.0
WORKING = ("starting", "preparing", "training", "evaluating", "merging", "reporting")
ENDED = ("interrupted", "failed", "done")
LOOK_EVERY_SECONDS = 0.1


def title(status: Status) -> str:
    """Return how a run is called: its recipe and its artifact."""
    return f"{Path(str(status.get('recipe', '?'))).stem} {status.get('artifact', '?')}"


def find_run(name: str | None, known: Sequence[Status]) -> Status:
    """Return the run meant: by stage, artifact, recipe, start of the key or process id; else the only one.

    Raises:
        InputError: there is no such run, or more than one.
    """
    meant = [status for status in known if name is None or _is_called(status, name)]
    if len(meant) == 1:
        return meant[0]
    listed = "\n".join(f"  {status['pid']}  {title(status)}  {status['state']}" for status in meant or known)
    if not known:
        raise InputError("nothing of yours runs on this machine")
    if not meant:
        raise InputError(
            f"no run is called {name!r}; these run (name one by its stage or process id):\n{listed}"
        )
    raise InputError(f"{len(meant)} runs are meant; name one by its process id:\n{listed}")


def _is_called(status: Status, name: str) -> bool:
    names = {str(status.get("stage")), str(status.get("artifact")), Path(str(status.get("recipe"))).stem}
    return (
        name in names
        or name == str(status.get("pid"))
        or (len(name) >= 4 and str(status["key"]).startswith(name))
    )


def order(status: Status, word: str, answer_seconds: float = ANSWER_SECONDS) -> str:
    """Give an order to a run and return what came of it, in words.

    Args:
        status: the run.
        word: pause, resume or checkpoint.
        answer_seconds: how long to wait for it to obey.

    Raises:
        ManusError: the run is gone, or the order cannot be written.
    """
    folder, is_here = Path(status["folder"]), status["host"] == socket.gethostname()
    if is_here and not is_alive(status):
        raise ManusError(
            f"process {status['pid']} is gone, or its number belongs to another by now; nothing was sent"
        )
    is_asked = status["state"] == "paused" and str(status.get("reason", "")).startswith(ASKED_BY)
    if (word == "pause" and is_asked) or (word == "resume" and status["state"] in WORKING):
        return f"{title(status)} is {status['state']} already"
    if not folder.is_dir():
        raise ManusError(f"{title(status)} has just ended; nothing was sent")
    try:
        give_order(folder, word, f"{getuser()}@{socket.gethostname()}")
    except OSError as error:
        signal = "USR2" if word == "checkpoint" else "USR1"
        raise ManusError(
            f"{error.filename}: {error.strerror}; send the signal: kill -{signal} {status['pid']}"
        ) from None
    if is_here and _is_stopped(status["pid"]):
        return f"{title(status)}: the process is stopped (SIGSTOP); it will {word} when it is continued"
    return _answer(folder / NAME, status, word, answer_seconds)


def _is_stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def _answer(file: Path, before: Status, word: str, seconds: float) -> str:
    """Wait until the run's status shows that it obeyed."""
    is_here, ends_at = before["host"] == socket.gethostname(), time.monotonic() + seconds
    while time.monotonic() < ends_at:
        now = _status(file)
        if not now or now["state"] in ENDED or (is_here and not is_alive(before)):
            return f"{title(before)} has ended meanwhile"
        if word == "pause" and now["state"] == "paused":
            return f"{title(now)} is paused{_at(now)}; go on with: manus resume {now['pid']}"
        if word == "resume" and now["state"] != "paused":
            return f"{title(now)} goes on{_at(now)}"
        if word == "checkpoint" and now.get("checkpoint_at") != before.get("checkpoint_at"):
            return f"{title(now)}: {now['checkpoint']}"
        time.sleep(LOOK_EVERY_SECONDS)
    return f"{title(before)}: asked to {word}; it will at its next safe point"


def _at(status: Status) -> str:
    return f" at step {status['step']}" if status.get("step") else ""


def _status(file: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return value
    except FileNotFoundError:
        return {}
