"""Whatever a library raises over the user's material becomes one message with the file, and exit code 2."""

from __future__ import annotations

import builtins
import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from manus.cli import main as cli
from manus.data.sample import RowError, of_any_row
from manus.data.sources import jsonl
from manus.data.sources import rows as sources
from manus.data.tokens.chat_templates import template_at_work
from manus.errors import EXIT_BAD_INPUT, EXIT_FAILED, InputError, Interrupted, blamed_on, of_the_machine
from manus.models import json_files
from manus.models.detection import detect, safetensors_header
from manus.models.encoders.loading import load_encoder
from manus.models.loaders import load_from
from manus.models.loading import adapters
from manus.models.native import recognising
from manus.models.omni.layout import PROCESSOR_FILE, MediaLayout
from manus.models.senses.settings import senses_in
from manus.models.tokenizer import load_tokenizer
from manus.plan import saved_plan as plan
from manus.plan.garbage import remove_unreferenced
from manus.plan.saved_plan import saved_plan
from manus.recipe import located_yaml
from manus.recipe.located_yaml import read_located
from manus.store.manifest import Manifest
from tests.unit.plan.test_planner import planned, recipe

__all__ = ["recipe"]  # a fixture

ROOT = Path(__file__).parents[2]
KINDS = sorted(
    (kind for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    key=lambda kind: kind.__name__,
)


class PanicException(BaseException):
    """What libraries written in Rust raise."""


def made(kind: type[BaseException]) -> BaseException:
    """An exception as it is raised: some want arguments."""
    if issubclass(kind, UnicodeDecodeError):
        return kind("utf-8", b"\xff", 0, 1, "broken")
    if issubclass(kind, UnicodeEncodeError):
        return kind("utf-8", "x", 0, 1, "broken")
    if issubclass(kind, UnicodeTranslateError):
        return kind("x", 0, 1, "broken")
    if issubclass(kind, BaseExceptionGroup):
        return kind("several", [ValueError("one")])
    return kind("broken\nin many lines")


def read_config(folder: Path, use: Callable[[Path], Any]) -> Callable[[], Any]:
    (folder / "config.json").write_text('{"model_type": "siglip2", "vision_config": {}}')
    return lambda: use(folder)


def places(
    folder: Path, monkeypatch: pytest.MonkeyPatch, thrown: Callable[..., Any]
) -> dict[str, Callable[[], Any]]:
    """Where the user's material is read: each calls what raises, and should name the file."""
    broken = SimpleNamespace(loads=thrown, dumps=json.dumps)
    for module in (json_files, safetensors_header, plan):
        monkeypatch.setattr(module, "json", broken)
    monkeypatch.setattr(located_yaml, "composed", thrown)
    monkeypatch.setattr(jsonl.Jsonl, "rows", thrown)
    for name in (
        "plan.json",
        "config.json",
        PROCESSOR_FILE,
        "model.safetensors.index.json",
        "recipe.yaml",
        "rows.jsonl",
    ):
        (folder / name).write_text("{}")
    (folder / "one.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_text("")
    monkeypatch.setattr(adapters.PeftConfig, "from_pretrained", thrown)
    kind = SimpleNamespace(from_pretrained=thrown)
    return {
        "plan.json": lambda: saved_plan(folder / "plan.json"),
        "config.json": lambda: json_files.read_object(folder / "config.json"),
        "one.safetensors": lambda: safetensors_header._parameters_of(folder / "one.safetensors"),
        "model.safetensors.index.json": lambda: safetensors_header.shards_of(
            folder / "model.safetensors.index.json"
        ),
        PROCESSOR_FILE: lambda: MediaLayout.of(folder),
        "recipe.yaml": lambda: read_located(folder / "recipe.yaml"),
        "rows.jsonl": lambda: list(sources.rows_in(folder / "rows.jsonl")),
        "adapter_config.json": lambda: adapters.adapter_config(folder),
        "a loader": lambda: load_from(kind, folder / "rows.jsonl", f"{folder}/a loader cannot be loaded"),
        "config.json of an encoder": lambda: load_encoder(folder),
        "config.json of senses": lambda: senses_in(folder),
        "config.json of a processor": lambda: recognising.has_own_senses(folder),
        "config.json of detection": lambda: detect.detect(folder),
    }


@pytest.mark.parametrize("kind", [*KINDS, PanicException], ids=lambda kind: kind.__name__)
def test_every_exception_at_every_place_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def thrown(*_: Any, **__: Any) -> Any:
        raise made(kind)

    for name, read in places(tmp_path, monkeypatch, thrown).items():
        if name == "config.json of detection":
            (tmp_path / "adapter_config.json").unlink()
        with pytest.raises(InputError) as told:
            read()
        said = str(told.value)
        assert str(tmp_path) in said, name
        assert name.split(" of ")[0] in said, said
        assert "\n" not in said
        assert told.value.exit_code == EXIT_BAD_INPUT
    with pytest.raises(RowError), template_at_work():
        raise made(kind if issubclass(kind, Exception) else ValueError)
    with pytest.raises(RowError):
        of_any_row(
            thrown if issubclass(kind, Exception) else lambda _: 1 / 0  # type: ignore[arg-type,return-value]
        )({})


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, Interrupted])
def test_what_is_no_fault_of_the_material_passes(kind: type[BaseException]) -> None:
    with pytest.raises(kind), blamed_on("a file"):
        raise kind
    full = OSError(errno.ENOSPC, "No space left on device", "x")
    with pytest.raises(OSError, match="No space"), blamed_on("a file"):
        raise full
    assert of_the_machine(full) is None
    assert of_the_machine(ValueError("x")) is None


TEMPORARY = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/']")


@pytest.mark.parametrize(("error", "code", "words"), [
    (
        PermissionError(errno.EACCES, "Permission denied", "/locked/x"), EXIT_BAD_INPUT,
        "/locked/x: permission denied",
    ),
    (OSError(errno.EROFS, "Read-only file system", b"/cd/x"), EXIT_BAD_INPUT, "/cd/x: read-only file system"),
    (
        NotADirectoryError(errno.ENOTDIR, "Not a directory", "results/r"), EXIT_BAD_INPUT,
        "results/r: not a directory",
    ),
    (
        TEMPORARY, EXIT_BAD_INPUT,
        "found in ['/tmp', '/']: free some space there, or name another folder in TMPDIR",
    ),
    (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), EXIT_FAILED, "the disk is full (/tmp/x)"),
])  # fmt: skip
def test_a_machine_that_cannot_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError, code: int, words: str
) -> None:
    def thrown() -> None:
        raise error

    monkeypatch.setattr(cli, "app", thrown)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == code
    assert words in said
    assert said.count("\n") == 1
    assert "unexpected" not in said


@pytest.mark.parametrize("place", ["output", "checkpoints", "no temporary folder"])
def test_a_folder_that_cannot_be_written_is_named(recipe: Path, place: str) -> None:
    mine = recipe.parent / "mine"
    mine.write_text("a file of the user's")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if place == "output":
        recipe.write_text(recipe.read_text().replace(str(recipe.parent / "results"), str(mine / "results")))
    elif place == "checkpoints":
        environment["MANUS_CHECKPOINT_DIR"] = str(mine / "work")
    else:
        environment["TMPDIR"] = "/dev/null"
    command = [sys.executable, "-m", "manus", "build", str(recipe), "detect/detected"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in ended.stderr and "unexpected" not in ended.stderr, ended.stderr
    if place != "no temporary folder":
        assert ended.returncode == EXIT_BAD_INPUT, ended
        assert str(mine) in ended.stderr.splitlines()[-1]
    assert mine.read_text() == "a file of the user's"


TORN = [
    "",
    "{",
    "[]",
    "null",
    '{"artifacts": {"a": {}}, "revisions": {}}',
    '{"terraform": 1}',
    "[" * 200_000,
    "\udcff",
]


@pytest.mark.parametrize("content", TORN)
def test_a_torn_or_foreign_plan_is_named_also_by_gc(recipe: Path, content: str) -> None:
    made_before = planned(recipe)
    made_before.folder.mkdir(parents=True)
    file = made_before.folder / "plan.json"
    file.write_bytes(content.encode(errors="surrogateescape"))
    (made_before.store.root / ("a" * 20)).mkdir(parents=True)
    for use in (lambda: planned(recipe), lambda: remove_unreferenced(made_before.output_dir, is_dry=False)):
        with pytest.raises(InputError, match=r"plan\.json is torn or no plan of ours"):
            use()
    assert (made_before.store.root / ("a" * 20)).is_dir()


@pytest.mark.parametrize(
    "content", [*TORN[:4], TORN[-2], TORN[-1], '{"model_type": ["llama"]}', '{"model_type": {}}']
)
def test_a_torn_or_foreign_configuration_is_named(recipe: Path, content: str) -> None:
    (recipe.parent / "base" / "config.json").write_bytes(content.encode(errors="surrogateescape"))
    command = [sys.executable, "-m", "manus", "build", str(recipe), "detect/detected"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == EXIT_BAD_INPUT, ended
    assert "config.json" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_gc_leaves_alone_what_is_not_in_the_form_of_a_key(recipe: Path) -> None:
    made_before = planned(recipe)
    mine = made_before.store.root / "my folder"
    mine.mkdir(parents=True)
    assert remove_unreferenced(made_before.output_dir, is_dry=False) == []
    assert mine.is_dir()
    assert Manifest.read(mine) is None


@pytest.mark.parametrize(
    "template", [7, True, [{"name": "tool_use", "template": "{{ 1 }}"}], {"default": 7}, [1]]
)
def test_a_tokenizer_whose_templates_cannot_be_used_is_named(
    pico_base: Path, tmp_path: Path, template: Any
) -> None:
    folder = tmp_path / "base"
    shutil.copytree(pico_base, folder, ignore=shutil.ignore_patterns("chat_template.jinja"))
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "chat_template": template}))
    with pytest.raises(InputError) as told:
        load_tokenizer(folder)
    assert str(folder) in str(told.value) and "\n" not in str(told.value)
