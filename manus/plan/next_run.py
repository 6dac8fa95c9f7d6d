"""Says what the next run does with every artifact, and why, from a plan and the files that are there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from manus.data.sources.files import data_files
from manus.errors import InputError
from manus.plan.artifacts import Artifact, Plan
from manus.plan.saved_plan import saved_plan
from manus.store.keys import key_of
from manus.store.manifest import Manifest
from manus.store.publishing import check_way, same_file

Action = Literal["current", "publish", "build"]


@dataclass(frozen=True, slots=True)
class Status:
    """What happens to an artifact in the next run. `token` changes with damage, so that each is repaired."""

    action: Action
    why: str
    token: str


def status_of(plan: Plan, artifact: Artifact) -> Status:
    """Return what the next run does with an artifact, looking at files only."""
    stored = plan.store.folder(artifact.key)
    wrong = plan.store.damage(artifact.key) if (stored / "manifest.json").exists() else "not built yet"
    if plan.stamp_path(artifact).exists():
        if wrong is None and _is_shown(stored, artifact):
            return Status("current", "", artifact.stamp)
        token = f"{artifact.stamp}-repair-{key_of({'wrong': wrong, 'view': _trace(artifact.view)})[:8]}"
        if wrong is None:
            return Status("publish", "the recipe's folder no longer shows it whole", token)
        return Status("build", f"damaged: {wrong}", token)
    if wrong is None:
        return Status("publish", "it is in the store", artifact.stamp)
    if (stored / "manifest.json").exists():
        return Status("build", f"damaged: {wrong}", artifact.stamp)
    return Status("build", "; ".join(changes(plan, artifact)) or "not built yet", artifact.stamp)


def next_run(plan: Plan) -> dict[str, Status]:
    """Return what the next run does with every artifact.

    Where a parent is repaired or shown anew, what stands directly on it is looked at again, as Snakemake
    does: its key is the same, so it is published, not rebuilt.

    Raises:
        InputError: something of the user's stands where an artifact is shown.
    """
    check_ways(plan)
    own = {name: status_of(plan, artifact) for name, artifact in plan.artifacts.items()}
    found = dict(own)
    for artifact in plan.artifacts.values():
        moved = [name for name in (*artifact.parents, *artifact.after) if own[name].action != "current"]
        if own[artifact.id].action == "current" and moved:
            why = f"stands on {moved[0]}; checked, not rebuilt"
            found[artifact.id] = Status("publish", why, own[artifact.id].token)
    return found


def check_ways(plan: Plan, wanted: Iterable[str] | None = None) -> None:
    """See to it that nothing of the user's stands where artifacts are shown: before hours of work, not after.

    Args:
        plan: whose results are shown.
        wanted: the ids of artifacts; None: all of them.

    Raises:
        InputError: something does, or those of another recipe of this name; names it.
    """
    _check_name(plan)
    for folder in (plan.store.root, plan.folder / "logs", plan.folder / ".built"):
        check_way(folder / "any", None, False, plan.store.root)
    for name in plan.artifacts if wanted is None else wanted:
        artifact = plan.artifacts[name]
        shown = any(plan.stamp_path(artifact).parent.glob(f"{artifact.name}@*"))
        check_way(artifact.view, artifact.file, shown, plan.store.root)


def _check_name(plan: Plan) -> None:
    """See that the recipe's folder shows nothing another recipe of its name builds, unless it is the same."""
    saved = saved_plan(plan.folder / "plan.json")
    other = str(plan.folder / str(saved.get("file", "")))
    if (
        "file" not in saved
        or not os.path.isfile(other)  # noqa: PTH113
        or os.path.samefile(other, plan.recipe.path)  # noqa: PTH121
    ):
        return
    if {name: one["key"] for name, one in saved["artifacts"].items()} != {
        a.id: a.key for a in plan.artifacts.values()
    }:
        raise InputError(
            f"{plan.folder} shows what another recipe of this name builds, {os.path.normpath(other)}; "
            "rename one of the files, or give one of them another output_dir"
        )


def _is_shown(stored: Path, artifact: Artifact) -> bool:
    if artifact.file is not None:
        return same_file(stored / artifact.file, artifact.view)
    manifest = Manifest.read(stored)
    return manifest is not None and all(
        same_file(stored / name, artifact.view / name) for name in (*manifest.files, "manifest.json")
    )


def _trace(view: Path) -> list[Any]:
    paths = sorted(view.rglob("*")) if view.is_dir() else [view]
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path.is_file()]


def changes(plan: Plan, artifact: Artifact) -> list[str]:
    """Return what differs from the artifact that this recipe's folder shows now, one text a difference."""
    shown = sorted((plan.folder / ".built" / artifact.kind).glob(f"{artifact.name}@*"))
    earlier = [m for path in shown if (m := Manifest.read(plan.store.folder(path.name.split("@")[1][:20])))]
    if not earlier:
        return []
    return list(_differences(earlier[-1].made_from, artifact.made_from, plan, artifact))


def own_changes(plan: Plan, artifact: Artifact, again: Artifact) -> list[str]:
    """Return what differs in an artifact that is planned again but its parents, one text a difference."""
    old, new = ({**one.made_from, "parents": {}} for one in (artifact, again))
    return list(_differences(old, new, plan, artifact))


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], plan: Plan, artifact: Artifact
) -> Iterator[str]:
    for name, value in _flat(new).items():
        before = _flat(old).get(name, "nothing")
        if before == value:
            continue
        if name.startswith("parents."):
            yield f"built on {name.removeprefix('parents.')}, which changed"
        elif name.startswith("data.") and ".sha256." in name:
            source_index, file_index = int(name.split(".")[1]), int(name.split(".")[3])
            files = data_files(plan.learned(artifact).sources[source_index], plan.recipe.path.parent)
            yield f"the content of {files[file_index].name} changed"
        elif name in ("base", "source"):
            yield f"the content of base_model {plan.base.spec} changed"
        else:
            yield f"{name}: {before} -> {value}"
    for name in _flat(old).keys() - _flat(new).keys():
        yield f"{name.removeprefix('parents.')} is gone"


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    flat: dict[str, Any] = {}
    for name, item in items:
        path = f"{prefix}{name}"
        if isinstance(item, (dict, list)) and item:
            flat |= _flat(item, f"{path}.")
        else:
            flat[path] = item
    return flat
