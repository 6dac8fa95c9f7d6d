"""What is remembered of files: content that is read once, and read again as soon as it may have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from manus.store import digests
from manus.store.digests import MANY, Digests

LONG_AGO = 1_700_000_000


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests write counts as written long ago."""
    monkeypatch.setattr(digests, "SETTLED_SECONDS", 0.0)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files whose content was read, as they are read."""
    read, names = digests.sha256_of, list[str]()

    def noted(path: Path) -> str:
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(digests, "sha256_of", noted)
    return names


def written(path: Path, content: str, seconds: float = LONG_AGO) -> Path:
    path.write_text(content)
    os.utime(path, (seconds, seconds))
    return path


def small_files(folder: Path, count: int) -> dict[str, str]:
    return {str(n): str(written(folder / f"{n}.png", f"picture {n}")) for n in range(count)}


def each(folder: Path, files: dict[str, str], title: str = "pictures") -> dict[str, str]:
    return Digests(folder / "memory.json").of_each(title, files)


@pytest.mark.parametrize("count", [3, MANY])
def test_each_digest_is_that_of_the_content(tmp_path: Path, count: int) -> None:
    files = small_files(tmp_path, count)
    expected = {n: hashlib.sha256(f"picture {n}".encode()).hexdigest() for n in files}
    assert each(tmp_path, files) == each(tmp_path, files) == expected


def test_many_small_files_are_read_once(tmp_path: Path, opened: list[str]) -> None:
    files = small_files(tmp_path, MANY)
    first = each(tmp_path, files)
    assert len(opened) == MANY
    opened.clear()
    assert each(tmp_path, files) == first and opened == []
    assert each(tmp_path, files, "the same, as others name them") == first and len(opened) == MANY


def edited(path: Path) -> None:
    written(path, "another picture", LONG_AGO + 1)


def edited_to_the_same_size(path: Path) -> None:
    written(path, "pictore 5", LONG_AGO + 1)


def replaced_by_one_as_old(path: Path) -> None:
    written(path.with_name("new.png"), "pictore 5").replace(path)


@pytest.mark.parametrize("edit", [edited, edited_to_the_same_size, replaced_by_one_as_old])
def test_what_changed_is_read_again_and_nothing_else(
    tmp_path: Path, opened: list[str], edit: Callable[[Path], None]
) -> None:
    files = small_files(tmp_path, MANY)
    before = each(tmp_path, files)
    opened.clear()
    edit(tmp_path / "5.png")
    after = each(tmp_path, files)
    assert opened == ["5.png"] and {n for n in files if before[n] != after[n]} == {"5"}


@pytest.mark.parametrize("size", [10, digests.REMEMBER_FROM_BYTES])
def test_what_was_written_just_now_is_not_trusted(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A second edit within one tick of the file system's clock changes neither size nor time."""
    monkeypatch.setattr(
        digests, "SETTLED_SECONDS", 600.0
    )  # however slow the machine, and Python's own files are older
    files = {path.name: str(path) for path in sorted(Path(os.__file__).parent.glob("*.py"))[:MANY]}
    fresh = tmp_path / "5.png"
    fresh.write_bytes(bytes(size))
    files["5.png"] = str(fresh)
    each(tmp_path, files)
    Digests(tmp_path / "memory.json").of_file(fresh)
    opened.clear()
    each(tmp_path, files)
    assert opened == ["5.png"]
    memory = Digests(tmp_path / "memory.json")
    memory.of_file(fresh)
    assert opened == ["5.png", "5.png"] and not memory.is_changed


def test_what_is_not_there_has_no_digest(tmp_path: Path) -> None:
    there = small_files(tmp_path, MANY)
    absent = {"gone": str(tmp_path / "gone.png"), "a folder": str(tmp_path), "no name": "\ud800\0.png"}
    assert each(tmp_path, there | absent) == each(tmp_path, there | absent) == each(tmp_path, there)
    few = dict(list(there.items())[:2])
    assert each(tmp_path, few | absent) == each(tmp_path, few)


def test_only_what_is_still_asked_for_stays_in_a_memory(tmp_path: Path, opened: list[str]) -> None:
    files = small_files(tmp_path, 2 * MANY)
    fewer = dict(list(files.items())[:MANY])
    each(tmp_path, files)
    each(tmp_path, fewer)
    opened.clear()
    each(tmp_path, files)
    assert len(opened) == MANY


def test_a_memory_that_is_damaged_or_cannot_be_written_only_costs_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = small_files(tmp_path, MANY)
    first = each(tmp_path, files)
    for memory in (tmp_path / "memory").iterdir():
        memory.write_text('{"1": 7, "2":')
    assert each(tmp_path, files) == first
    (tmp_path / "no folder").write_text("")
    assert Digests(tmp_path / "no folder" / "memory.json").of_each("x", files) == first
    assert "digests are not remembered" in capsys.readouterr().out


def test_what_was_found_in_a_content_is_found_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def find() -> list[str]:
        asked.append("")
        return ["b.png", "a.png", "\ud800.png"]

    memory = Digests(tmp_path / "memory.json")
    found = [memory.recalled("names", source, find) for source in ("one", "one", "two", "two")]
    assert found == [["b.png", "a.png", "\ud800.png"]] * 4 and len(asked) == 2
