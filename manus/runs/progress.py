"""Tells how far a recipe is, from its files and the `status.json` of what runs. Imports nothing heavy."""

from __future__ import annotations

import json
import socket
from typing import Any

from manus.guards.status_file import NAME, is_alive
from manus.plan.artifacts import Artifact, Plan
from manus.plan.next_run import status_of


def progress_of(plan: Plan) -> list[dict[str, Any]]:
    """Return the state of every artifact: done, waiting, interrupted, or what its `status.json` says."""
    rows = []
    for artifact in plan.artifacts.values():
        action = status_of(plan, artifact).action
        status = _running(plan, artifact) if action == "build" else {}
        state = {"current": "done", "publish": "in store"}.get(action) or status.get("state", "waiting")
        rows.append({**status, "id": artifact.id, "key": artifact.key, "state": state})
    return rows


def _running(plan: Plan, artifact: Artifact) -> dict[str, Any]:
    """Return the last `status.json` of an unfinished artifact; one of a dead process here is interrupted."""
    try:
        path = plan.store.work_folder(artifact.key) / NAME
        status: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_over = status["state"] in ("failed", "interrupted")
    if is_over or status["host"] != socket.gethostname() or is_alive(status):
        return status
    return {**status, "state": "interrupted"}
