"""Files get their names when they are whole; what that takes is written once."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import pytest

from manus.files import put_in_place, sealed

ROOT = Path(__file__).parents[2]


def test_what_is_sealed_is_every_file_with_its_size_and_hash(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("b", "a/c"):
        (tmp_path / name).write_text(name)
    expected = {name: (len(name), hashlib.sha256(name.encode()).hexdigest()) for name in ("a/c", "b")}
    assert sealed(tmp_path) == expected


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_is_put_in_place_replaces_what_was_there(tmp_path: Path, is_folder: bool) -> None:
    for name in ("final", "staged"):
        path = tmp_path / name
        if is_folder:
            path.mkdir()
            path = path / f"{name}.txt"
        path.write_text(name)
    put_in_place(tmp_path / "staged", tmp_path / "final")
    assert [path.name for path in tmp_path.iterdir()] == ["final"]
    file = tmp_path / "final" / "staged.txt" if is_folder else tmp_path / "final"
    assert file.read_text() == "staged"


def calling(name: str) -> list[str]:
    """The modules in which a function or method of this name is called."""
    found = []
    for path in sorted((ROOT / "manus").rglob("*.py")):
        called = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        if any(name in (getattr(func, "attr", ""), getattr(func, "id", "")) for func in called):
            found.append(path.relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize("name", ["flock", "prctl"])
def test_what_locks_and_what_dies_with_its_parent_is_written_once(name: str) -> None:
    assert len(calling(name)) == 1, calling(name)
