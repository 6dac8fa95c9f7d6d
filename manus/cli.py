"""The command line. Each command reads its arguments, calls one function below, and prints.

Knows no details of any layer; imports them inside the commands, so that `manus --help` is immediate.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from manus.errors import EXIT_FAILED, InputError, Interrupted, ManusError, ModelError

if TYPE_CHECKING:
    from manus.models.detect import Detection
    from manus.plan import Plan

PLANNED = ("export", "serve", "podcast", "draw")


class Commands(typer.core.TyperGroup):
    """The commands, and an honest word about those that are designed but not built."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that was asked for.

        Raises:
            InputError: it is not built yet.
        """
        if args[0] in PLANNED:
            raise InputError(f"manus {args[0]} is designed but not built yet; `manus --help` shows what is")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="manus",
    cls=Commands,
    help="Grow a base language model, one capability at a time, from one YAML recipe.\n\n"
    "Start with `manus new my.yaml`, look at `manus plan my.yaml`, then run "
    "`snakemake --config recipe=my.yaml`. With --debug, an error shows where in the code it arose.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RecipeFile = Annotated[Path, typer.Argument(help="The recipe, a YAML file.", show_default=False)]
StageName = Annotated[str, typer.Argument(help="A stage's name, as `manus plan` shows it.", show_default=False)]
RunName = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="A stage, recipe, key or process id; not needed when only one runs."),
]
Given = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override, as with `snakemake --config`: epochs=1, seed=7, ..."),
]
ModelName = Annotated[str, typer.Argument(help="A folder such as results/R/merged, package:NAME/FOLDER or a hub id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print data for programs instead of text for people.")]


def main() -> None:
    """Run the command line; errors for users are one message and an exit code."""
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    try:
        app()
    except ManusError as error:
        if debug:
            traceback.print_exc()
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(Interrupted.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if debug:
            raise
        if told := _full_disk(error):
            print(told, file=sys.stderr)
            sys.exit(EXIT_FAILED)
        place = traceback.extract_tb(error.__traceback__)[-1]
        print(
            f"unexpected {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})", file=sys.stderr
        )
        print("this is not your fault; run again with --debug for the details", file=sys.stderr)
        sys.exit(EXIT_FAILED)


def _full_disk(error: Exception) -> str | None:
    """Return what to say of an error that a full disk caused, whichever library met it."""
    from manus.guards.checkpoint import is_disk_full

    if not is_disk_full(error):
        return None
    place = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    return f"the disk is full{place}; free some space and run the same again: what was finished is kept"


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("recipe.yaml"),
    force: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Write a commented recipe to start from."""
    from manus.recipe_fields import NAME_RULE, SAFE_NAME
    from manus.recipe_starter import STARTER

    if not SAFE_NAME.fullmatch(file.stem):
        raise InputError(f"{file}: the file's name becomes a folder; {NAME_RULE} in it")
    if file.exists() and not force:
        raise InputError(f"{file}: exists; choose another name, or --force")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(STARTER, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.filename}: {error.strerror}") from None
    print(f"{file} written; next: manus plan {file}")


@app.command()
def validate(recipe: RecipeFile, given: Given = None, as_json: AsJson = False) -> None:
    """Check a recipe, its base and its data; build nothing.

    Every problem is named with its line. Exit code 0: it can be run, 2: it cannot.
    """
    plan = _plan(recipe, given)
    stages = [f"{stage.name} ({stage.method})" for stage in plan.recipe.stages]
    if as_json:
        print(json.dumps({"recipe": plan.recipe.name, "is_valid": True, "stages": len(stages)}))
    else:
        print(f"{recipe} is valid: {plan.base.title}, {plan.recipe.compose}: {', '.join(stages)}")


@app.command()
def plan(recipe: RecipeFile, given: Given = None, as_json: AsJson = False) -> None:
    """Show what the next run will build, and why; build nothing.

    `build`: must be made. `publish`: is in the store, only needs to be shown. `current`: nothing to do.
    """
    from manus.next_run import next_run

    resolved = _plan(recipe, given)
    rows = [(resolved.artifacts[name], status) for name, status in next_run(resolved).items()]
    if as_json:
        data = [{"id": a.id, "key": a.key, "action": s.action, "why": s.why, "view": str(a.view)} for a, s in rows]
        print(json.dumps({**resolved.to_json(), "next_run": data}, indent=2))
        return
    print(f"{resolved.base.title}, {resolved.recipe.compose}, seed {resolved.recipe.seed} -> {resolved.folder}/")
    width = max(len(artifact.id) for artifact, _ in rows)
    for artifact, status in rows:
        print(f"  {status.action:8} {artifact.id:{width}}  {artifact.key[:8]}  {status.why}".rstrip())
    count = {action: sum(status.action == action for _, status in rows) for action in ("build", "publish", "current")}
    print(f"{count['build']} to build, {count['publish']} to publish from the store, {count['current']} current")


@app.command()
def why(recipe: RecipeFile, stage: StageName, given: Given = None, as_json: AsJson = False) -> None:
    """Name the exact field or file that changed since a stage was last built."""
    from manus.next_run import next_run

    resolved = _plan(recipe, given)
    resolved.stage(stage)
    chain = [name for name in resolved.needed_for([f"train/{stage}"]) if not name.startswith("detect/")]
    statuses = next_run(resolved)
    reasons = {name: statuses[name] for name in chain}
    if as_json:
        print(json.dumps({name: {"action": s.action, "why": s.why} for name, s in reasons.items()}, indent=2))
        return
    for name, status in reasons.items():
        print(f"{name}: {status.action}{': ' + status.why if status.why else ''}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors that complete and check YAML."""
    from manus.recipe_schema import json_schema

    print(json.dumps(json_schema(), indent=2))


@app.command()
def detect(
    model: Annotated[str, typer.Argument(help="A folder, a .gguf file, package:NAME/FILE or a hub id.")],
    as_json: AsJson = False,
) -> None:
    """Say what a model can take in and give out, from its configuration alone."""
    found = _model(model)[1].to_dict()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"{model}: {found['kind']}, {found['model_type']}")
    for modality, is_there in found["modalities"].items():
        reasons = "; ".join(found["evidence"].get(modality, []))
        print(f"  {'yes' if is_there else 'no':4} {modality:14} {reasons}".rstrip())


@app.command()
def chat(
    model: ModelName,
    image: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A picture to talk about; can be repeated.")
    ] = None,
    video: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="A video, likewise.")] = None,
    audio: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="A sound, likewise.")] = None,
    once: Annotated[str | None, typer.Option(metavar="QUESTION", help="Ask this, print the answer, and end.")] = None,
    system: Annotated[str | None, typer.Option(help="What the model is told before everything else.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="The longest answer.")] = 512,
    temperature: Annotated[float, typer.Option(min=0, help="0: always the likeliest token.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Talk with a model, also about pictures, videos and sounds; or ask it one question (--once, or on stdin).

    Inside: /image FILE, /video FILE, /audio FILE, /reset, /quit; Ctrl-C stops an answer.
    """
    from manus.models.senses import senses_in
    from manus.serving.chat import ask_once, attach_all, check_senses, is_typed, quiet_libraries, talk

    is_asked_once = once is not None or not is_typed()
    if as_json and not is_asked_once:
        raise InputError("--json needs a question: give it with --once or on stdin")
    media = {"image": image or [], "video": video or [], "audio": audio or []}
    folder, found = _language_model(model)
    own = senses_in(folder) if found.kind == "transformers" else set()
    check_senses(found.modalities | dict.fromkeys(own, True), model, media)  # type: ignore[arg-type]
    from rich.console import Console

    quiet_libraries()
    from manus.serving.conversation import Conversation

    conversation = Conversation(folder, max_new_tokens, temperature, system)
    attach_all(conversation, media)  # type: ignore[arg-type]
    if is_asked_once:
        ask_once(conversation, sys.stdin.read() if once is None else once, as_json)
    else:
        talk(conversation, Console())


@app.command()
def stage(
    recipe: RecipeFile,
    name: StageName,
    given: Given = None,
    ranks: Annotated[int, typer.Option(min=1, help="Train with so many processes (torchrun), one a GPU.")] = 1,
) -> None:
    """Train one stage without Snakemake, and first whatever it needs."""
    resolved = _plan(recipe, given)
    resolved.stage(name)
    if ranks == 1:
        _build(recipe, given, f"train/{name}")
        return
    from manus.launch import launch
    from manus.status import progress_of

    for needed in resolved.artifacts[f"train/{name}"].parents:
        _build(recipe, given, needed)
    given_again = [text for pair in given or () for text in ("--set", pair)]
    if launch(ranks, ["stage", str(recipe), name, *given_again]):
        state = next(row for row in progress_of(resolved) if row["id"] == f"train/{name}")
        reason = state.get("reason") or "the lines above say why"
        error = Interrupted if state["state"] == "interrupted" else ManusError
        raise error(f"the {ranks} ranks ended: {reason}")


@app.command()
def data(
    recipe: RecipeFile,
    name: StageName,
    given: Given = None,
    sample: Annotated[int, typer.Option(min=0, help="How many samples to show as the model sees them.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Examine a stage's data, and prepare it first: counts, lengths, quarantine, leaks, and a sample with its loss mask.

    Exit code 2: a held-out prompt is trained on.
    """
    resolved = _plan(recipe, given)
    if f"data/{name}" not in resolved.artifacts:
        resolved.stage(name)
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for what was found
        _build(recipe, given, f"data/{name}")
    from rich.console import Console

    from manus.doctor import check, examined, show

    found, title = examined(resolved, name, sample), f"{resolved.recipe.name}: {name}"
    if as_json:
        print(json.dumps({"stage": name, **found.to_json()}, indent=2, ensure_ascii=False))
    else:
        show(found, title, Console())
    check(found, title)


@app.command()
def evaluate(recipe: RecipeFile, name: StageName, given: Given = None) -> None:
    """Measure a stage (or `merged`) on held-out data, and first build whatever it needs."""
    if name != "merged":
        _plan(recipe, given).stage(name)
    _build(recipe, given, f"evaluate/{name}")


@app.command()
def measure(
    model: ModelName,
    capability: Annotated[str, typer.Argument(help="Whose probe asks, such as vision-qa.")],
    data: Annotated[
        Path, typer.Option(metavar="FILE", help="Rows with questions and answers, or a folder of such files.")
    ],
    rows: Annotated[int, typer.Option(min=1, help="At most so many of them, from the beginning.")] = 200,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, help="The longest answer; none: the probe's own.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure any model on rows of your own, and with its sense cut off: picture blanked, sound silenced, ...

    The rows have the shapes that a stage's `data` may have (docs/DATASETS.md). Nothing is stored.
    """
    from manus.errors import did_you_mean
    from manus.recipe import CAPABILITIES

    if capability not in CAPABILITIES:
        raise InputError(f"{capability!r} is no capability; {did_you_mean(capability, CAPABILITIES)}")
    if not data.exists():
        raise InputError(f"--data {data}: no such file")
    folder = _language_model(model)[0]
    from rich.console import Console

    from manus.serving.chat import quiet_libraries

    quiet_libraries()
    from manus.serving.own_rows import measured_on, table_of

    limits = {} if max_new_tokens is None else {"max_new_tokens": max_new_tokens}
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for what was found
        found = measured_on(folder, capability, CAPABILITIES[capability], data, rows, limits)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    Console().print(table_of(found))
    for reason, count in found["refused"].items():
        print(f"{count} of {found['rows']} rows were not used: {reason}", file=sys.stderr)


@app.command()
def merge(recipe: RecipeFile, given: Given = None) -> None:
    """Merge all stages into one model, and first build whatever it needs."""
    _build(recipe, given, "merge/merged")


@app.command()
def status(
    recipe: Annotated[Path | None, typer.Argument(help="A recipe; without it, all your runs on this machine.")] = None,
    given: Given = None,
    as_json: AsJson = False,
    is_watched: Annotated[bool, typer.Option("--watch", help="Show it anew every second, until Ctrl-C.")] = False,
) -> None:
    """Show what runs now: stage, step, loss, speed, temperature, time left, state.

    With a recipe: all of its artifacts, also those that are done or wait.
    """
    from rich.console import Console
    from rich.live import Live

    from manus.guards.registry import runs
    from manus.watch import status_table

    def rows() -> list[dict[str, Any]]:
        from manus.status import progress_of

        return runs() if recipe is None else progress_of(_plan(recipe, given))

    if as_json:
        print(json.dumps(rows(), indent=2))
        return
    if is_watched:
        with contextlib.suppress(KeyboardInterrupt), Live(status_table(rows()), auto_refresh=False) as live:
            while True:
                time.sleep(1)
                live.update(status_table(rows()), refresh=True)
    found = rows()
    print("nothing of yours runs on this machine") if not found else Console().print(status_table(found))


@app.command()
def pause(run: RunName = None) -> None:
    """Pause a run at its next step; it gives up the GPU's memory and keeps its state.

    `kill -USR1 PID` does the same, and undoes it.
    """
    _order(run, "pause")


@app.command()
def resume(run: RunName = None) -> None:
    """Let a paused run go on."""
    _order(run, "resume")


@app.command()
def checkpoint(run: RunName = None) -> None:
    """Let a run save its state at its next step and go on. `kill -USR2 PID` does the same."""
    _order(run, "checkpoint")


@app.command()
def watch(run: RunName = None) -> None:
    """Watch all your runs on this machine, full screen: loss curve, speed, heat; with keys to pause and resume."""
    from manus.guards.registry import runs
    from manus.watch import watch as watch_runs

    watch_runs(runs, run)


@app.command()
def gc(
    output_dir: Annotated[Path, typer.Argument(help="The folder that holds .store.")] = Path("results"),
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it only show.")] = False,
    is_cache: Annotated[
        bool, typer.Option("--cache", help="The data cache instead: indexes and plain copies, which are made anew.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show stored artifacts that no recipe in the folder refers to any more; with --yes remove them.

    Also tells how large the data cache is, which all recipes of this user share.
    """
    from manus.data.cache import cache_folder, clear, sizes
    from manus.garbage import remove_unreferenced

    cache = sizes(cache_folder())
    found = cache if is_cache else remove_unreferenced(output_dir, is_dry=not yes)
    if is_cache and yes:
        clear(cache_folder())
    if as_json:
        print(json.dumps([{"artifact": name, "bytes": size, "removed": yes} for name, size in found], indent=2))
        return
    for name, size in found:
        print(f"  {size / 1e6:10.1f} MB  {name}")
    total = sum(size for _, size in found) / 1e6
    what = f"files in {cache_folder()}" if is_cache else "artifacts"
    print(f"{len(found)} {what}, {total:.1f} MB: {'removed' if yes else 'would be removed; add --yes to do it'}")
    if cache and not is_cache:
        print(f"data cache: {sum(size for _, size in cache) / 1e6:.1f} MB in {cache_folder()}; --cache removes it")


@app.command(name="build")
def build_artifact(
    recipe: RecipeFile,
    artifact: Annotated[str, typer.Argument(help="What `manus plan` lists, such as train/cot.")],
    given: Given = None,
    stamp: Annotated[Path | None, typer.Option(help="The output that Snakemake waits for; names the key.")] = None,
) -> None:
    """Build one artifact of the plan. Snakemake's jobs call this."""
    _build(recipe, given, artifact, stamp)


def _model(name: str) -> tuple[Path, Detection]:
    """Return the folder (or .gguf file) of a model given on the command line, and what its configuration says."""
    from manus.digests import Digests
    from manus.models.base import find_base, local_folder
    from manus.models.detect import detect as detect_modalities

    path = Path(name).expanduser()
    try:
        folder = path if path.exists() else local_folder(find_base(name, Path(), Digests(), {}))
    except ModelError as error:
        raise ModelError(str(error).removeprefix("base_model ")) from None
    return folder, detect_modalities(folder)


def _language_model(name: str) -> tuple[Path, Detection]:
    """Return the folder of a language model given on the command line, and what its configuration says."""
    folder, found = _model(name)
    if not found.language_model or found.kind not in ("transformers", "adapter"):
        raise InputError(f"{name}: is no folder of a language model; give one such as a recipe's base/ or merged/")
    return folder, found


def _order(name: str | None, word: str) -> None:
    from manus.control import find_run, order
    from manus.guards.registry import runs

    print(order(find_run(name, runs()), word))


def _plan(recipe: Path, given: list[str] | None) -> Plan:
    from manus.plan import make_plan
    from manus.recipe import read_recipe
    from manus.snakemake_config import parse_override

    return make_plan(read_recipe(recipe, dict(parse_override(text) for text in given or ())))


def _build(recipe: Path, given: list[str] | None, name: str, stamp: Path | None = None) -> None:
    from manus.errors import RecipeError, did_you_mean
    from manus.guards.neighbours import Neighbours
    from manus.guards.ranks import is_first, world_size
    from manus.guards.requests import REQUESTS
    from manus.log import logged
    from manus.runner import build

    REQUESTS.listen(is_job=stamp is not None or world_size() > 1)
    neighbours = Neighbours()
    resolved = _plan(recipe, given)
    if name not in resolved.artifacts:
        raise RecipeError(f"{recipe}: no artifact is called {name!r}; {did_you_mean(name, resolved.artifacts)}")
    if stamp is not None and not stamp.name.startswith(f"{name.split('/')[1]}@{resolved.artifacts[name].stamp}"):
        raise RecipeError(f"{recipe}: the recipe or its data changed since this run was planned; run snakemake again")
    neighbours.choose_waiting()
    if not is_first():
        build(resolved, name, with_parents=stamp is None)
        return
    with logged(resolved.folder / "logs" / f"{name.split('/')[1]}.log", name):
        build(resolved, name, with_parents=stamp is None)
    if stamp is not None:
        stamp.touch()
