"""Tells how far a recipe is, from its files and the `status.json` of what runs. Imports nothing heavy."""

from __future__ import annotations

import json
import os
from typing import Any

from manus.next_run import status_of
from manus.plan import Artifact, Plan


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
    """Return the last `status.json` of an unfinished artifact; a dead process is called interrupted."""
    try:
        path = plan.store.work_folder(artifact.key) / "status.json"
        status: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        os.kill(status["pid"], 0)
    except (OSError, ValueError, KeyError) as error:
        return {**status, "state": "interrupted"} if isinstance(error, ProcessLookupError) else {}
    return status
