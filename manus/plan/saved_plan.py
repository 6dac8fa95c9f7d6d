"""Reads the `plan.json` that an earlier run of a recipe left. Knows nothing of how plans are made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from manus.errors import blamed_on


def saved_plan(path: Path) -> dict[str, Any]:
    """Return what a `plan.json` of ours holds; nothing where there is none.

    Raises:
        InputError: it is torn, or is not ours.
    """
    if not path.exists():
        return {}
    with blamed_on(f"{path} is torn or no plan of ours; move it away, and the next run writes it anew"):
        value = json.loads(path.read_text(encoding="utf-8"))
        revisions = {str(name): str(commit) for name, commit in value["revisions"].items()}
        keys = {name: {**one, "key": str(one["key"])} for name, one in value["artifacts"].items()}
        return {**value, "revisions": revisions, "artifacts": keys}
