"""Builds artifacts in order, stores them, shows them in the recipe's folder, holds back what a gate refuses.

Knows nothing of Snakemake, nor of how a kind is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from importlib import import_module
from typing import Any

from manus.errors import GateError, InputError, ManusError
from manus.evaluation.gates import EQUALITY, Verdict
from manus.files import sha256_of, write_atomically
from manus.guards import ranks
from manus.guards.clock import CLOCK
from manus.guards.run import RUN
from manus.jobs.gates import needed_by_gates, verdicts
from manus.jobs.job import Job
from manus.jobs.libraries import prepare_process
from manus.kinds import KINDS, Kind
from manus.plan.artifacts import Artifact, Plan
from manus.plan.next_run import check_ways, own_changes, status_of
from manus.plan.planner import planned_again
from manus.store.publishing import publish_file, publish_folder
from manus.store.store import STAGING, Made

Builder = Callable[[Job], dict[str, Any]]


def build(plan: Plan, name: str, with_parents: bool = False) -> None:
    """Make sure that an artifact is in the store and shown in the recipe's folder.

    Args:
        plan: the plan it belongs to.
        name: its id, such as `train/cot`.
        with_parents: build what it needs first; otherwise a missing parent is an error.

    Raises:
        ManusError: it cannot be built; whatever was there before stays.
    """
    if with_parents:
        check_ways(plan, plan.needed_for([name]))
        missing = [
            i for i in plan.needed_for([name]) if status_of(plan, plan.artifacts[i]).action != "current"
        ]
        if ranks.world_size() > 1 and missing not in ([], [name]):
            raise InputError(
                f"{missing[0]} must be built first, by one process; "
                f"`manus stage` with --ranks {ranks.world_size()} does so"
            )
        for needed in missing:
            build(plan, needed)
        return
    artifact = plan.artifacts[name]
    if not ranks.is_first():
        assist(plan, artifact)
        return
    check_ways(plan, [name])
    plan.save()
    made_now = ensure_stored(plan, artifact)
    if artifact.kind == "merge":
        check_gates(plan)
    show(plan, artifact)
    print(f"● {name}  {'built' if made_now else 'published from the store'}  {artifact.key[:8]}", flush=True)
    if artifact.kind == "report":
        from rich.console import Console

        from manus.report.page import print_summary

        print_summary(plan, verdicts(plan), Console())
        print(f"report: {artifact.view}", flush=True)


def ensure_stored(plan: Plan, artifact: Artifact) -> bool:
    """Build an artifact unless the store holds it whole; tell whether it was built now."""
    store = plan.store
    if store.holds(artifact.key):
        return False
    with store.lock(artifact.key, while_waiting=lambda: wait_for(artifact)):
        if store.holds(artifact.key):
            return False
        store.discard(artifact.key)
        print(f"○ {artifact.id}  {KINDS[artifact.kind].doing}", flush=True)
        started, began_at = time.time(), CLOCK.now()
        job = Job(plan, artifact, store.work(artifact.key), store.staging(artifact.key))
        prepare_process()
        with RUN.of(job.work, plan.recipe.guards, KINDS[artifact.kind].state, **facts(plan, artifact)):
            metrics = builder_of(artifact.kind)(job)
            check_unchanged(plan, artifact)
        made = Made(plan.recipe.seed, metrics, CLOCK.now() - began_at)
        store.seal(artifact.kind, artifact.name, artifact.key, artifact.made_from, started, made)
    if artifact.kind == "feature":
        forget_report(plan)
    return True


def forget_report(plan: Plan) -> None:
    """Let the report be made anew: features' measurements are in no key, so an old one shows old times."""
    key = plan.artifacts["report/report"].key
    with plan.store.lock(key):
        plan.store.discard(key)


def builder_of(kind: Kind) -> Builder:
    """Return what builds artifacts of a kind: `build` of the file in `jobs/` that is named as the kind."""
    builder: Builder = import_module(f"manus.jobs.{kind}").build
    return builder


def check_unchanged(plan: Plan, artifact: Artifact) -> None:
    """See to it that what an artifact was made from is still what its key says, now that all of it was read.

    Raises:
        InputError: a file was changed meanwhile; names it. Nothing is stored; checkpoints stay.
    """
    changed = own_changes(plan, artifact, planned_again(plan, artifact))
    if changed:
        raise InputError(
            f"{artifact.id} is not stored: {'; '.join(changed)} while it was built; run the same again (with "
            "the old content it goes on from its checkpoint, with the new one it starts anew)"
        )


def wait_for(artifact: Artifact) -> None:
    """Pass the time while another process builds an artifact.

    Raises:
        ManusError: other ranks wait for this one.
    """
    if ranks.world_size() > 1:
        raise ManusError(f"another process builds {artifact.id}; run this again when it has ended")
    RUN.cross(f"waiting for {artifact.id}")


def assist(plan: Plan, artifact: Artifact) -> None:
    """Train with the first rank, which alone writes results."""
    store = plan.store
    if store.holds(artifact.key):
        return
    job = Job(plan, artifact, store.work_folder(artifact.key), store.folder(artifact.key) / STAGING)
    prepare_process()
    with RUN.of(job.work, plan.recipe.guards, KINDS[artifact.kind].state):
        builder_of(artifact.kind)(job)


def facts(plan: Plan, artifact: Artifact) -> dict[str, Any]:
    """Return what a run's status says of itself from the start."""
    recipe = str(plan.recipe.path.resolve())
    return {"recipe": recipe, "artifact": artifact.id, "stage": artifact.name, "key": artifact.key}


def show(plan: Plan, artifact: Artifact) -> None:
    """Publish a stored artifact into the recipe's folder and stamp it as shown."""
    stamp, stored = plan.stamp_path(artifact), plan.store.folder(artifact.key)
    with plan.store.lock(f"{plan.recipe.name}.{artifact.kind}.{artifact.name}"):
        check_ways(plan, [artifact.id])  # what came there while we built
        old = list(stamp.parent.glob(f"{artifact.name}@*"))
        said = artifact.key + "\n"
        if artifact.file is not None:
            earlier = {line for path in old for line in path.read_text(encoding="utf-8").splitlines()}
            kept = publish_file(stored / artifact.file, artifact.view, earlier)
            said += sha256_of(artifact.view) + "\n"  # tells what we show from what a user makes of it
        else:
            kept = publish_folder(stored, artifact.view)
        for path in old:
            path.unlink()
        write_atomically(stamp, said)
    for path in kept:
        print(f"  a result that was edited is kept: {path}", flush=True)


def check_gates(plan: Plan) -> None:
    """Measure the merged model before it is shown, if the recipe has gates or tries it at run time.

    Raises:
        GateError: a limit is broken, or a streamed answer is another than the one that comes at once; the
            report says so too.
    """
    made_now = {name for name in needed_by_gates(plan) if ensure_stored(plan, plan.artifacts[name])}
    measure_failed_again(plan, made_now)
    failed = [verdict for verdict in verdicts(plan) if not verdict.is_passed]
    if not failed:
        return
    for name in dict.fromkeys(["evaluate/merged", *needed_by_gates(plan), "report/report"]):
        ensure_stored(plan, plan.artifacts[name])
        show(plan, plan.artifacts[name])
    lines = "\n".join(f"  {verdict}" for verdict in failed)
    kept = "; the model published there earlier stays" if plan.artifacts["merge/merged"].view.exists() else ""
    raise GateError(
        f"the merged model is not published, because a gate failed{kept}:\n{lines}\n"
        f"see {plan.artifacts['report/report'].view}; {_ways_out(plan, failed)}"
    )


def measure_failed_again(plan: Plan, made_now: Set[str]) -> None:
    """Measure again what an earlier run found too slow or unequal: machine, or Manus, may be another now."""
    failed = {verdict.stage for verdict in verdicts(plan) if not verdict.is_passed}
    for feature in plan.recipe.features:
        artifact = plan.artifacts[f"feature/{feature.name}"]
        if feature.name in failed and artifact.id not in made_now:
            with plan.store.lock(artifact.key):
                plan.store.discard(artifact.key)
            ensure_stored(plan, artifact)
            show(plan, artifact)


def _ways_out(plan: Plan, failed: Sequence[Verdict]) -> str:
    """Return what can be done about limits that are broken."""
    if any(verdict.limit == EQUALITY for verdict in failed):
        return (
            "that answers differ is a fault of the model's class or of Manus, which no training mends: "
            f"report it, and take the capability out of {plan.recipe.path} to publish the model all the same"
        )
    if all(verdict.streams is not None for verdict in failed):
        return f"measure on a machine that nothing else uses, or change gates: in {plan.recipe.path}"
    return f"train better, or change gates: in {plan.recipe.path}"
