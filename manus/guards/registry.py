"""The runs of this user, on this machine and on others with the same home: where each keeps its status.

Knows nothing of what they do.
"""

from __future__ import annotations

import json
import os
import socket
import time
from calendar import timegm
from pathlib import Path
from typing import Any

from manus.files import write_json
from manus.guards.ranks import say
from manus.guards.status_file import is_alive

FRESH_SECONDS = 600.0  # loading a large model tells nothing for a while

Status = dict[str, Any]


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "manus" / "runs"


def _entry() -> Path:
    return _folder() / f"{socket.gethostname()}-{os.getpid()}.json"


def register(status_file: Path) -> None:
    """Make this process's run known to `manus status`; a home that cannot be written to only hides it."""
    try:
        write_json(_entry(), {"status": str(status_file.absolute())})
    except OSError as error:
        say(f"`manus status` will not list this run: {error.filename}: {error.strerror}")


def unregister() -> None:
    """Forget this process's run."""
    _entry().unlink(missing_ok=True)


def runs() -> list[Status]:
    """Return the status of every run that is alive, with `folder`, where it takes orders.

    A run of another machine counts as alive while its status is fresh. What is left of dead runs is removed.
    """
    found = []
    for entry in sorted(_folder().glob("*.json")):
        status = _read(entry)
        file = Path(str(status.get("status", "")))
        told = _read(file) if file.name else {}
        if told and (is_alive(told) if told.get("host") == socket.gethostname() else _is_fresh(told)):
            found.append({**told, "folder": str(file.parent)})
        elif entry.stem.rsplit("-", 1)[0] == socket.gethostname() and not _is_running(entry):
            entry.unlink(missing_ok=True)
    return found


def _is_running(entry: Path) -> bool:
    return Path("/proc", entry.stem.rsplit("-", 1)[1]).exists()


def _is_fresh(status: Status) -> bool:
    try:
        updated = timegm(time.strptime(status["updated_at"], "%Y-%m-%dT%H:%M:%SZ"))
    except (KeyError, TypeError, ValueError):
        return False
    return time.time() - updated < FRESH_SECONDS


def _read(path: Path) -> Status:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
