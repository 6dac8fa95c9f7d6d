"""What the pages for users show as YAML, JSON and Python is accepted by the code; tables name what is."""

from __future__ import annotations

import importlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

from manus.capabilities import Capability
from manus.data.forms.media import as_media_messages
from manus.data.forms.messages import as_text
from manus.data.forms.pairs import read_pair
from manus.data.forms.prompts import read_prompt
from manus.data.media.references import media_columns
from manus.data.sample import RowError
from manus.discovery import discovered
from manus.methods import Method
from manus.recipe.fields import Header
from manus.recipe.recipe import CAPABILITIES, GENERATORS, METHODS, read_recipe
from manus.rewards.context import Context
from manus.rewards.settings import RewardSettings
from manus.rewards.verifiers import Verifier, known_verifiers
from tests.integration.stage import job, prepared, rows

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/GUIDE.md", "docs/DATASETS.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")


def blocks(language: str) -> list[Any]:
    """Return the blocks of a language on all pages, each with the text before it."""
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            if block[1] == language:
                line = text[: block.start()].count("\n") + 1
                found.append(pytest.param(block[2], text[: block.start()], id=f"{page}:{line}"))
    return found


def section(page: str, title: str) -> str:
    """Return what stands under a heading, up to the next one."""
    text = (ROOT / page).read_text(encoding="utf-8")
    _, _, rest = text.partition(f"# {title}\n")
    assert rest, f"{page} has no heading {title!r}"
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def test_there_are_blocks() -> None:
    assert [len(blocks(language)) > 5 for language in ("yaml", "json", "python")] == [True] * 3


@pytest.mark.parametrize(("text", "before"), blocks("yaml"))
def test_yaml_is_a_recipe_or_a_part_of_one(text: str, before: str, tmp_path: Path) -> None:
    value = YAML(typ="safe", pure=True).load(text)
    is_of_a_recipe = set(value) <= set(Header.model_fields)
    recipe = value if is_of_a_recipe else {"capabilities": [{"cot": value}]}
    with (tmp_path / "mine.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"base_model": "base", "capabilities": ["cot"], **recipe}, file)
    assert read_recipe(tmp_path / "mine.yaml").stages


@pytest.mark.parametrize(("text", "before"), blocks("json"))
def test_json_is_a_row_that_is_read(text: str, before: str) -> None:
    row = json.loads(text)
    if "chosen" in row:
        assert read_pair(row, CAPABILITIES["cot"].read)["rejected"]
    elif "text" in row and not media_columns(row):
        assert as_text(row)["text"]
    elif set(row) == {"question", "answer"}:
        cot = CAPABILITIES["cot"]
        assert read_prompt(row, cot.read, cot.can_score)["answer"] == row["answer"]
    else:
        assert as_media_messages(row)["messages"]
        assert any(is_read_and_scored(row, capability) for capability in CAPABILITIES.values())


def is_read_and_scored(row: dict[str, Any], capability: ModuleType) -> bool:
    try:
        return bool(capability.can_score(capability.read(row)))
    except RowError:
        return False


@pytest.mark.parametrize(("text", "before"), blocks("python"))
def test_python_can_be_compiled(text: str, before: str) -> None:
    compile(text, "block", "exec")


# The folder that a file of the guide goes into, by its heading.
FOLDERS = {
    "Adding a capability": ("manus.capabilities", Capability),
    "Adding a method": ("manus.methods", Method),
    "Adding a verifier": ("manus.rewards.verifiers", Verifier),
}


def added(heading: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Any]:
    """Put the file that the guide shows into its folder, as one is told; return public name and module."""
    package, contract = FOLDERS[heading]
    shown = section("docs/GUIDE.md", heading)
    (name,) = re.findall(r"`(\w+)\.py`,\s+gives", shown)
    (text,) = (block[2] for block in BLOCK.finditer(shown) if block[1] == "python")
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(importlib.import_module(package), "__path__", [str(folder)])
    found = discovered.__wrapped__(package, contract)
    monkeypatch.delitem(sys.modules, f"{package}.{name}")
    ((public, module),) = found.items()
    assert f"`{public}`" in shown or f": {public}`" in shown
    return public, module


def test_the_capability_of_the_guide_reads_and_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, made = added("Adding a capability", tmp_path, monkeypatch)
    row = {"passage": "Ice is cold.", "question": "is ice warm", "answer": False}
    sample = made.read(row)
    assert public == "yes-no"
    assert made.can_score(sample)
    assert [made.score(sample, said).correct for said in ("No.", "yes")] == [True, False]
    assert read_prompt(row, made.read, made.can_score) == sample


def test_the_method_of_the_guide_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pico_base: Path
) -> None:
    public, made = added("Adding a method", tmp_path, monkeypatch)
    assert public == "lora-qv"
    data = prepared(pico_base, tmp_path / "data", rows("first", 12), held_out=4)
    order = job(pico_base, data, tmp_path / "stage", "lora", epochs=1)
    settings = made.Settings(epochs=1, batch_size=8)
    made.train(replace(order, settings=settings))
    assert made.result(settings) == "adapter"
    config = json.loads((order.staging / "adapter" / "adapter_config.json").read_text())
    assert set(config["target_modules"]) == {"q_proj", "v_proj"}


def test_the_verifier_of_the_guide_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public, made = added("Adding a verifier", tmp_path, monkeypatch)
    score = made.scorer(made.Settings(words=["so", "therefore"]), Context("cot", tmp_path))
    assert public == "keywords"
    assert made.can_score({}, Context("cot", tmp_path))
    assert score({}, "So it is 5.") == 0.5


def test_the_function_of_the_guide_is_a_reward(tmp_path: Path) -> None:
    (text,) = (
        block[2] for block in BLOCK.finditer(section("docs/GUIDE.md", "Rewards")) if block[1] == "python"
    )
    (tmp_path / "rewards.py").write_text(text, encoding="utf-8")
    reward = RewardSettings(verifier="python", options={"file": "rewards.py"})
    score = reward.module.scorer(reward.resolved, Context("cot", tmp_path))
    sample = {"messages": [{"role": "user", "content": "2 + 3?"}], "answer": "5"}
    assert score(sample, "2 + 3 = 5") == pytest.approx(1 / 3)
    assert score(sample, "2 + 3 = 6") == 0
    assert score({**sample, "answer": None}, "2 + 3 = 5") == 0


def test_the_tables_name_what_there_is() -> None:
    def first_cells(text: str) -> list[str]:
        return [
            name
            for row in re.findall(r"^\| (`[^|]*) \|", text, re.M)
            for name in re.findall(r"`([^`]+)`", row)
        ]

    assert set(first_cells(section("docs/GUIDE.md", "Rewards"))) == {"verifier", *known_verifiers()}
    assert set(first_cells(section("README.md", "Methods"))) == {"method", *METHODS}
    of_methods = section("docs/GUIDE.md", "Choosing a method") + section(
        "docs/GUIDE.md", "Preferences, rewards, distillation"
    )
    assert set(first_cells(of_methods)) == set(METHODS)
    generators = re.findall(r"^\*\*([\w-]+)\*\*:", section("docs/DATASETS.md", "Generators"), re.M)
    assert set(generators) == set(GENERATORS)


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target, anchor in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
            if "://" in target:
                continue
            path = (ROOT / page).parent / target if target else ROOT / page
            assert path.exists(), f"{page} links to {target}"
            if anchor:
                titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
                assert anchor in {
                    re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles
                }


ROOM = re.compile(r"^\| `([a-z_/]+)/` \|[^|]*\|([^|]*)\|$", re.M)
FILE = re.compile(r"`([\w/]+\.(?:py|yaml|smk|md))`")


def test_the_files_that_the_rooms_begin_with_are_there() -> None:
    rooms = ROOM.findall((ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8"))
    named = [(room, file) for room, cell in rooms for file in FILE.findall(cell)]
    assert len(named) > 30
    assert [(room, file) for room, file in named if not (ROOT / "manus" / room / file).is_file()] == []


def test_paths_that_pages_name_are_there() -> None:
    """All but those of the example `manus/a/b.py`."""
    pages = [
        "CONTRIBUTING.md",
        "README.md",
        *(f"docs/{name}.md" for name in ("ARCHITECTURE", "GUIDE", "TEST_SUITE")),
    ]
    named = {
        (page, file) for page in pages for file in FILE.findall((ROOT / page).read_text(encoding="utf-8"))
    }
    paths = [(page, file) for page, file in named if "/" in file and "/a/" not in file]
    assert len(paths) > 20
    beside = (ROOT, ROOT / "manus", ROOT / "manus/data", ROOT / "docs")
    assert [
        (page, file) for page, file in paths if not any((folder / file).is_file() for folder in beside)
    ] == []
