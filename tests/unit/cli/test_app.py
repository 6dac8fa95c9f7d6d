"""The command line: quick, without torch unless it builds, one message and an exit code for every mistake."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from manus.cli import building
from manus.cli import main as cli
from manus.cli.app import PLANNED, app
from tests.unit.recipe.broken_recipes import BASE, BELOW, GOOD, OF_A_STAGE, STAGE, WHOLE

ROOT = Path(__file__).parents[3]
COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]
HEAVY = ("torch", "transformers", "peft", "datasets", "accelerate", "matplotlib", "reasoning_gym")
BROKEN = f"{BASE}capabilities: [cott]\nseed: -1\n"

# Python imports this file first; it notes every heavy module that is looked for, also in child processes.
WATCH = f"""
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in {HEAVY!r}:
            with open(os.environ["IMPORTS"], "a") as file:
                file.write(name + "\\n")
sys.meta_path.insert(0, Watch())
"""


@dataclass
class Run:
    """What a process left: its exit code, its output, its CPU time, the heavy modules it imported."""

    code: int
    out: str
    err: str
    cpu_seconds: float
    imported: list[str]


@pytest.fixture
def run(tmp_path_factory, monkeypatch):
    """Run a module in a process of its own, in an empty working directory."""
    work, watch = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("watch")
    (watch / "sitecustomize.py").write_text(WATCH)
    imports = watch / "imports"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(watch), str(ROOT)]),
        "IMPORTS": str(imports),
        "XDG_CACHE_HOME": str(watch / "cache"),
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "100",
    }
    monkeypatch.chdir(work)

    def process(module: str, *arguments: str) -> Run:
        imports.write_text("")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Run(done.returncode, done.stdout, done.stderr, seconds, imports.read_text().split())

    return process


@pytest.fixture
def planned(run) -> Path:
    """A recipe in the working directory that can be planned: its base is a folder, its data are generated."""
    Path("base").mkdir()
    Path("base/config.json").write_text('{"model_type": "llama"}')
    Path("base/model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    path = Path("r.yaml")
    path.write_text(STAGE % "data: [{generator: cot}]")
    return path


def test_the_watch_sees_an_import(run):
    assert "matplotlib" in run("matplotlib").imported
    assert run("json.tool", "--help").imported == []


def test_help_is_quick_and_light(run):
    runs = [run("manus", "--help") for _ in range(3)]
    assert all(done.code == 0 and done.imported == [] for done in runs)
    assert min(done.cpu_seconds for done in runs) < 0.5
    for command in COMMANDS:
        assert f"\n  {command} " in runs[0].out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert len(done.output.split("Options:")[0]) > 80, "a command says what it does"


def test_there_are_commands():
    assert set(COMMANDS) >= {
        "validate",
        "plan",
        "why",
        "schema",
        "new",
        "detect",
        "stage",
        "status",
        "evaluate",
        "merge",
        "gc",
    }
    assert not set(COMMANDS) & set(PLANNED)


def test_a_command_from_the_design_that_is_not_built(run):
    done = run("manus", "export")
    assert (done.code, done.out) == (2, "")
    assert done.err == "manus export is designed but not built yet; `manus --help` shows what is\n"


@pytest.mark.parametrize("command", ["validate", "plan", "status", "merge"])
def test_a_broken_recipe_is_refused_quickly_in_one_message(run, command):
    Path("r.yaml").write_text(BROKEN)
    done = run("manus", command, "r.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "r.yaml:2: capabilities[0]: unknown capability 'cott'; did you mean 'cot'?\n"
        "r.yaml:3: seed: must be at least 0, not -1\n"
    )
    assert done.cpu_seconds < 2
    assert done.imported == []
    assert [path.name for path in Path().iterdir()] == ["r.yaml"], "nothing is written"


def test_the_costliest_broken_recipes_are_refused_quickly(run):
    texts = [
        *(text for text, *_ in WHOLE),
        *(STAGE % row[0] for row in OF_A_STAGE),
        *(f"{GOOD}{row[0]}\n" for row in BELOW),
    ]
    largest = f"{BASE}capabilities:\n" + "  - {cott: {a: 1, b: [2, 3]}}\n" * 2000
    assert 50_000 < len(largest) < 64_000
    Path("r.yaml").write_text(BROKEN)
    small = run("manus", "validate", "r.yaml").cpu_seconds
    for text in (*sorted(texts, key=len)[-2:], largest):
        Path("r.yaml").write_text(text)
        done = run("manus", "validate", "r.yaml")
        assert (done.code, done.out) == (2, "")
        assert "Traceback" not in done.err
        assert done.cpu_seconds < 4 * small  # a ratio, since machines and their load differ


def test_debug_shows_where_an_error_arose(run):
    Path("r.yaml").write_text(BROKEN)
    done = run("manus", "validate", "r.yaml", "--debug")
    assert done.code == 2
    assert "Traceback (most recent call last)" in done.err
    assert done.err.endswith("r.yaml:3: seed: must be at least 0, not -1\n")


def test_a_job_decides_how_threads_wait_before_it_builds(tmp_path, monkeypatch):
    told = []
    planned = SimpleNamespace(artifacts={"train/cot": None}, folder=tmp_path)
    monkeypatch.setattr("manus.cli.building.planned", lambda recipe, given: planned)
    monkeypatch.setattr("manus.guards.requests.REQUESTS.listen", lambda **_: None)
    monkeypatch.setattr(
        "manus.guards.neighbours.Neighbours.choose_waiting", lambda self: told.append("waiting")
    )
    monkeypatch.setattr("manus.jobs.runner.build", lambda *_, **__: told.append("built"))
    building.build_one(tmp_path / "recipe.yaml", None, "train/cot")
    assert told == ["waiting", "built"]


@pytest.mark.parametrize(
    ("command", "name", "built"),
    [
        (building.stage, "cot", "train/cot"),
        (building.stage, "live", "feature/live"),
        (building.evaluate, "cot", "evaluate/cot"),
        (building.evaluate, "live", "feature/live"),
        (building.evaluate, "merged", "evaluate/merged"),
    ],
)
def test_what_trains_nothing_is_measured_by_its_name(command, name, built, monkeypatch):
    told = []
    results = {"cot": "train/cot", "live": "feature/live"}
    resolved = SimpleNamespace(result_of=results.__getitem__)
    monkeypatch.setattr(building, "planned", lambda recipe, given: resolved)
    monkeypatch.setattr(building, "build_one", lambda recipe, given, artifact: told.append(artifact))
    command(Path("r.yaml"), name, None, **({"ranks": 1} if command is building.stage else {}))
    assert told == [built]


def test_an_unexpected_error_is_one_message_too(run, monkeypatch):
    code = (
        "import manus.recipe.recipe; manus.recipe.recipe.read_recipe = None; "
        "from manus.cli.main import main; main()"
    )
    Path("breaks.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", ".")
    done = subprocess.run([sys.executable, "breaks.py", "validate", "r.yaml"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "unexpected TypeError: 'NoneType' object is not callable (options.py:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("epochs=0", "--set epochs: must be greater than 0, not 0"),
        ("epochs=[", "--set epochs: must be a number, not the text '['"),
        ("seed=-1", "--set seed: must be at least 0, not -1"),
        (
            "training_method=foo",
            "--set training_method: unknown method 'foo'; known: alignment, cpt, distillation, dora, dpo, "
            "grpo, lora, orpo, ppo, qlora, sft",
        ),
        ("epoch=1", "--set epoch: unknown key; did you mean 'epochs'?"),
        ("epochs", "--set epochs: the value is missing; write --set epochs=..."),
        ("epochs=", "--set epochs: the value is missing; write --set epochs=..."),
    ],
)
def test_an_override_is_refused(given, says, tmp_path, monkeypatch, capsys):
    (tmp_path / "r.yaml").write_text(GOOD)
    monkeypatch.setattr(sys, "argv", ["manus", "validate", str(tmp_path / "r.yaml"), "--set", given])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{says}\n"


def told_by_validate(capsys, path: Path, *arguments: str) -> tuple[int, dict]:
    done = CliRunner().invoke(app, ["validate", str(path), "--json", *arguments])
    return done.exit_code, json.loads(done.stdout)


def test_a_broken_recipe_is_data_too(tmp_path, capsys):
    path = tmp_path / "r.yaml"
    path.write_text(BROKEN)
    code, told = told_by_validate(capsys, path)
    assert code == 2 and told["is_valid"] is False and told["recipe"] == "r"
    first, second = told["problems"]
    assert first["line"] == 2 and first["file"] == str(path) and first["key"] == "capabilities[0]"
    assert "did you mean 'cot'?" in first["message"]
    assert (second["line"], second["key"], second["message"]) == (3, "seed", "must be at least 0, not -1")


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("base_model: [\n", 2, None, ""),
        (GOOD.replace("base_model: ", "base_model: ./gone-"), 1, "base_model", "no such file or directory"),
        (STAGE % "data: [{path: gone.jsonl}]", 3, "capabilities[0].cot.data[0]", "gone.jsonl: no such file"),
    ],
)
def test_whatever_is_wrong_with_it_has_a_line(planned, text, line, key, says, capsys):
    Path("r.yaml").write_text(text)
    code, told = told_by_validate(capsys, Path("r.yaml"))
    (problem,) = told["problems"]
    assert code == 2 and problem["file"] == "r.yaml" and problem["key"] == key and says in problem["message"]
    assert problem["line"] == line or line not in (1, 2)


def test_what_the_command_line_said_has_none(planned, capsys):
    code, told = told_by_validate(capsys, Path("r.yaml"), "--set", "epochs=0")
    assert (code, told["problems"]) == (
        2,
        [{"file": None, "line": None, "key": "--set epochs", "message": "must be greater than 0, not 0"}],
    )


def test_braces_in_the_name_of_a_folder_are_refused_with_their_line(planned, monkeypatch, capsys):
    Path("r.yaml").write_text(Path("r.yaml").read_text() + "output_dir: 'out {a}'\n")
    _, told = told_by_validate(capsys, Path("r.yaml"))
    assert [(p["key"], p["message"]) for p in told["problems"]] == [
        ("output_dir", "must not hold { or }, which Snakemake takes for a name to fill in")
    ]
    assert told["problems"][0]["line"] == len(Path("r.yaml").read_text().splitlines())
    Path("r.yaml").write_text(Path("r.yaml").read_text().replace("output_dir: 'out {a}'\n", ""))
    _, told = told_by_validate(capsys, Path("r.yaml"), "--set", "output_dir={x}")
    assert told["problems"][0]["key"] == "--set output_dir"
    monkeypatch.setenv("MANUS_OUTPUT_DIR", "{x}")
    _, told = told_by_validate(capsys, Path("r.yaml"))
    assert told["problems"][0]["message"].startswith("MANUS_OUTPUT_DIR: must not hold { or }")


@pytest.mark.parametrize("home", [None, "/proc/nobody"])
def test_a_user_without_a_home_gets_one_for_the_time_being(home, tmp_path, monkeypatch, capsys):
    import pwd
    import tempfile

    from manus.store.environment import ensure_home

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith("/proc"))
    monkeypatch.setenv("HOME", home or "x")
    if home is None:
        monkeypatch.delenv("HOME")
    ensure_home()
    told = capsys.readouterr().err
    assert Path.home() == tmp_path / f"manus-home-{os.getuid()}" and Path.home().is_dir()
    assert told.startswith("no home folder that can be written to: caches go to") and "set HOME" in told
    ensure_home()
    assert capsys.readouterr().err == ""


def test_an_override_of_text_is_taken_as_it_stands():
    from manus.recipe.overrides import parse_override

    assert parse_override("output_dir=2024") == ("output_dir", "2024")
    assert parse_override("base_model=a: b # c") == ("base_model", "a: b # c")
    assert parse_override("epochs=1e-1") == ("epochs", 0.1)


def test_data_are_json(planned, run):
    validated = run("manus", "validate", "r.yaml", "--json")
    assert json.loads(validated.out) == {"recipe": "r", "is_valid": True, "stages": 1}
    assert validated.imported == []
    plan = run("manus", "plan", "r.yaml", "--json")
    assert {row["action"] for row in json.loads(plan.out)["next_run"]} == {"build"}
    assert plan.imported == []
    assert "train/cot" in json.loads(run("manus", "why", "r.yaml", "cot", "--json").out)
    assert json.loads(run("manus", "status", "r.yaml", "--json").out)
    assert json.loads(run("manus", "schema").out)["title"] == "Manus recipe"
    assert not Path("results").exists(), "asking writes nothing"
    Path("results/.store").mkdir(parents=True)
    assert json.loads(run("manus", "gc", "results", "--json").out) == []


def test_a_dry_run_of_snakemake_is_light(planned, run):
    done = run(
        "snakemake", "-s", str(ROOT / "Snakefile"), "-n", "--quiet", "all", "--config", "recipe=r.yaml"
    )
    assert done.code == 0, done.err
    assert done.imported == []


def test_snakemake_refuses_a_broken_recipe_as_we_do(run):
    Path("r.yaml").write_text(BROKEN)
    done = run("snakemake", "-s", str(ROOT / "Snakefile"), "-n", "--config", "recipe=r.yaml", "epochs=0")
    assert done.code == 2
    assert "\n--config epochs: must be greater than 0, not 0\nr.yaml:2: capabilities[0]: unknown" in done.err
    assert "Traceback" not in done.err
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (["recipe=r.yaml", "epoch=1"], "--config epoch: unknown key; did you mean 'epochs'?"),
        (["recipe=r.yaml", "epochs="], "--config epochs=: the value is missing"),
        (["recipe=recipes/quikstart.yaml"], "no such file; did you mean 'recipes/quickstart.yaml'?"),
        (["recipe="], "no recipe given"),
        ([f"recipe={'r' * 300}"], "rrr...: no such file"),
        (["recipe=~nobody/r.yaml"], "recipe ~nobody/r.yaml: no such file"),
    ],
)
def test_the_config_of_snakemake_is_checked(config, says):
    from manus.errors import RecipeError
    from manus.recipe.overrides import find_recipe, split_config

    def value(text: str) -> str | None:
        return text or None

    given = {key: value(text) for key, text in (entry.split("=") for entry in config)}
    with pytest.raises(RecipeError) as caught:
        find_recipe(split_config(given)[0], ROOT)
    assert says in str(caught.value)


def test_new_writes_a_recipe_once(run):
    done = run("manus", "new", "mine/first.yaml")
    assert (done.code, done.err) == (0, "")
    assert done.out == "mine/first.yaml written; next: manus plan mine/first.yaml\n"
    Path("mine/first.yaml").write_text("precious")
    done = run("manus", "new", "mine/first.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err == "mine/first.yaml: exists; choose another name, or --force\n"
    assert Path("mine/first.yaml").read_text() == "precious"
    assert run("manus", "new", "mine/first.yaml", "--force").code == 0
    assert "base_model:" in Path("mine/first.yaml").read_text()


def test_new_refuses_what_cannot_be_written_or_read_later(run):
    Path("file").write_text("")
    done = run("manus", "new", "file/r.yaml")
    assert (done.code, done.err) == (2, "file/r.yaml: cannot be written: file: File exists\n")
    done = run("manus", "new", "my recipe.yaml")
    assert done.code == 2
    assert "the file's name becomes a folder" in done.err


@pytest.mark.parametrize("command", ["detect", "chat"])
def test_a_model_that_is_not_there_is_called_as_it_was_given(run, command):
    done = run("manus", command, "nofolder")
    assert done.code == 2
    assert done.err.startswith("'nofolder': no such file or directory here")


def test_what_cannot_be_measured_is_refused_before_a_model_is_loaded(run):
    Path("rows.jsonl").write_text("")
    done = run("manus", "measure", "nofolder", "vision_qa", "--data", "rows.jsonl")
    assert (done.code, done.err) == (2, "'vision_qa' is no capability; did you mean 'vision-qa'?\n")
    done = run("manus", "measure", "nofolder", "vision-qa", "--data", "gone.jsonl")
    assert (done.code, done.err) == (2, "--data gone.jsonl: no such file\n")
    done = run("manus", "measure", "nofolder", "vision-qa", "--data", "rows.jsonl")
    assert done.code == 2 and done.err.startswith("'nofolder': no such file or directory here")
