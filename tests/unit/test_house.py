"""The house is as its pages say: modules have tests, and the rooms' picture is that of the imports."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

from tests import rooms

UNIT = rooms.ROOT / "tests" / "unit"
UNTESTED = UNIT / "untested.txt"


def modules() -> list[Path]:
    """Return all modules with code of their own, from `manus/`."""
    folder = rooms.ROOT / "manus"
    found = [path.relative_to(folder) for path in sorted(folder.rglob("*.py"))]
    return [path for path in found if path.stem not in ("__init__", "__main__")]


def is_tested(module: Path) -> bool:
    """Tell whether a file of tests at the module's place names it: `test_b.py`, or `test_b_and_c.py`."""
    names = [path.stem.removeprefix("test_") for path in (UNIT / module.parent).glob("test_*.py")]
    return any(module.stem == name or module.stem in name.split("_and_") for name in names)


def test_the_list_of_modules_without_tests_of_their_name_only_shrinks() -> None:
    lacking = [str(module) for module in modules() if not is_tested(module)]
    assert len(modules()) > 300
    assert lacking == UNTESTED.read_text(encoding="utf-8").split(), (
        "add tests for what is new, and take from tests/unit/untested.txt what has tests now"
    )


def test_the_picture_of_the_rooms_is_that_of_the_imports() -> None:
    (drawn,) = rooms.PICTURE.findall(rooms.PAGE.read_text(encoding="utf-8"))
    assert drawn == rooms.picture(), "run `make docs`"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Such a circle works or not, as whichever of them happens to be imported first."""
    imports = rooms.modules_at_import()
    assert sum(map(len, imports.values())) > 500
    graphlib.TopologicalSorter(imports).prepare()


def test_every_room_is_described() -> None:
    page = rooms.PAGE.read_text(encoding="utf-8")
    folders = sorted(
        path.parent.relative_to(rooms.ROOT / "manus") for path in (rooms.ROOT / "manus").rglob("__init__.py")
    )
    described = [folder for folder in folders if f"| `{folder}/` |" in page]
    inside_others = [Path(), Path("models/encoders/trained"), Path("rewards/verifiers")]
    assert sorted([*described, *inside_others]) == folders


IMPORTED_BY_A_SCRIPT = re.compile(r"^[ \t]*from ((?:manus|tests)[\w.]*) import ([\w, ]+)", re.MULTILINE)


def test_scripts_that_stand_in_tests_as_text_import_what_is_there() -> None:
    """They run in processes of their own, and nothing else looks at their imports when modules move."""
    found = [
        (path, module, name.split(" as ")[0].strip())
        for path in sorted((rooms.ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for module, names in IMPORTED_BY_A_SCRIPT.findall(node.value)
        for name in names.split(",")
    ]
    assert len(found) > 30
    assert [
        f"{path.name}: {module} has no {name}" for path, module, name in found if not has(module, name)
    ] == []


def has(module: str, name: str) -> bool:
    """Tell whether a module defines or imports a name, or is a package with a module of this name."""
    place = rooms.ROOT / module.replace(".", "/")
    if place.is_dir() and any((place / f"{name}{ending}").exists() for ending in ("", ".py")):
        return True
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    tree = ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if file.exists() else ()
    return any(
        name == (getattr(node, "asname", None) or getattr(node, "name", None) or getattr(node, "id", None))
        for node in tree
    )
