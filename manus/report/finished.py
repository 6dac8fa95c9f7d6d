"""Finished artifacts with their manifests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manus.plan.artifacts import Artifact, Plan
from manus.store.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished artifact with its manifest."""

    artifact: Artifact
    manifest: Manifest
    folder: Path

    def read(self, name: str) -> Any:
        """Return one of its JSON files."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))


def finished(plan: Plan) -> dict[str, Finished]:
    """Return all jobs of a plan but the report itself, by id.

    Raises:
        ManusError: an artifact is missing or damaged.
    """
    return {
        a.id: Finished(a, plan.store.manifest(a.key), plan.store.folder(a.key))
        for a in plan.artifacts.values()
        if a.kind != "report"
    }
