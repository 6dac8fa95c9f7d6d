# Reads the recipe and plans it; the helpers that all rules share. The other rule files only declare.

import shlex
import signal
import sys
from pathlib import Path

from manus.errors import ManusError, of_the_machine
from manus.kinds import KINDS
from manus.store.environment import ensure_home
from manus.launch.snakemake import forward_stops_to_jobs
from manus.plan.planner import make_plan
from manus.plan.next_run import next_run
from manus.recipe.recipe import read_recipe
from manus.recipe.overrides import find_recipe, split_config

# A user who pauses a trainer may hit the whole process group: these signals are the trainer's.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
forward_stops_to_jobs()

try:
    ensure_home()
    RECIPE_NAME, OVERRIDES = split_config(config)
    RECIPE_FILE = find_recipe(RECIPE_NAME, Path(workflow.basedir))
    PLAN = make_plan(read_recipe(RECIPE_FILE, OVERRIDES))
    STATUS = next_run(PLAN)
except (ManusError, OSError) as error:
    told = error if isinstance(error, ManusError) else of_the_machine(error)
    if told is None:
        raise
    print(told, file=sys.stderr)
    sys.exit(told.exit_code)

FOLDER = str(PLAN.folder)
BUILT = f"{FOLDER}/.built"
ALL_CORES = 1024  # Snakemake lowers it to --cores: one such job at a time


def stamp(name):
    """The file that says: this artifact, with this key, is shown in the recipe's folder."""
    return str(PLAN.stamp_path(PLAN.artifacts[name], STATUS[name].token))


def needs(kind):
    """An input function: the stamps of what the artifact of this kind is built from.

    They are ancient: a parent that is repaired has the same key, so what was built from it stays.
    """

    def stamps(wildcards):
        artifact = PLAN.artifacts[f"{kind}/{wildcards.name}"]
        return [ancient(stamp(name)) for name in (*artifact.parents, *artifact.after)]

    return stamps


def why(kind):
    """A params function: why the artifact is not simply there."""
    return lambda wildcards: STATUS[f"{kind}/{wildcards.name}"].why or "it is there"


def cores(kind):
    """A threads function: how many cores a job of this kind takes."""

    def threads(wildcards):
        wanted = KINDS[kind].cores
        takes_all = (
            PLAN.is_large(wildcards.name) if wanted == "by data" else wanted == "all"
        )
        return ALL_CORES if takes_all else 1

    return threads


def gpus(kind):
    """How many GPUs a job of this kind takes."""
    return KINDS[kind].gpus


def command(kind):
    """The shell command of a job. `exec` leaves no shell between Snakemake and the trainer to swallow signals."""
    given = " ".join(
        f"--set {shlex.quote(f'{key}={value}')}" for key, value in OVERRIDES.items()
    )
    manus = f"exec {shlex.quote(sys.executable)} -m manus build {shlex.quote(str(RECIPE_FILE))}"
    return f"OMP_NUM_THREADS={{threads}} {manus} {kind}/{{wildcards.name}} --stamp {{output:q}} {given}"


wildcard_constraints:
    name="[A-Za-z0-9][A-Za-z0-9_.-]*",
    token="[0-9a-f]+(-[0-9a-z-]+)?",


# What people may ask for by name: the parts of the model, each stage, and the folders that show them.
NAMED = {"detected": "detect/detected", "merged": "merge/merged"}
NAMED |= {entry.name: PLAN.result_of(entry.name) for entry in PLAN.recipe.entries}
NAMED |= {
    str(artifact.view): artifact.id
    for artifact in PLAN.artifacts.values()
    if artifact.file is None
}

for target, artifact_id in NAMED.items():

    rule:
        name:
            target
        input:
            stamp(artifact_id),


rule shown:
    # Any file below the recipe's folder, such as stages/cot/adapter/adapter_model.safetensors.
    input:
        lambda wildcards: ancient(stamp(shown_by(wildcards.path))),
    output:
        update(f"{FOLDER}/{{path}}"),
    wildcard_constraints:
        path=r"(?!\.built/).+",
    shell:
        "test -e {output:q}"


def shown_by(path):
    """The artifact whose job leaves this path in the recipe's folder."""
    wanted = PLAN.folder / path
    for artifact in PLAN.artifacts.values():
        if artifact.view == wanted or artifact.view in wanted.parents:
            return artifact.id
    if path == "plan.json":
        return "detect/detected"
    known = ", ".join(
        str(artifact.view.relative_to(PLAN.folder))
        for artifact in PLAN.artifacts.values()
    )
    print(
        f"{wanted} is not something this recipe makes; it makes {known}",
        file=sys.stderr,
    )
    sys.exit(2)
