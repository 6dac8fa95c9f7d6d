"""The cache tells its size and is cleared, but for what is being built."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manus.cli.main import app
from manus.data.sources.cache import cached, clear, sizes
from manus.guards.workers import processors


def filled(folder: Path) -> None:
    for name in ("a.plain", "b.lines.u64"):
        cached(folder / name, lambda target: target.write_bytes(b"1234") and None)


def test_gc_shows_and_removes_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    filled(tmp_path / "cache")
    (tmp_path / "results" / ".store").mkdir(parents=True)
    told = CliRunner().invoke(app, ["gc", str(tmp_path / "results")]).output
    assert "data cache: 0.0 MB" in told and "--cache removes it" in told
    shown = CliRunner().invoke(app, ["gc", "--cache", "--json"])
    assert [(one["artifact"], one["bytes"]) for one in json.loads(shown.output)] == [
        ("a.plain", 4),
        ("b.lines.u64", 4),
    ]
    assert len(sizes(tmp_path / "cache")) == 2
    assert "2 files in" in CliRunner().invoke(app, ["gc", "--cache", "--yes"]).output
    assert sizes(tmp_path / "cache") == []


def test_what_is_being_built_stays(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "c.plain.building").write_bytes(b"12")
    with (tmp_path / "c.plain.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        clear(tmp_path)
    assert sizes(tmp_path) == [("c.plain.building", 2)]
    clear(tmp_path)
    assert sizes(tmp_path) == [] == sizes(tmp_path / "none")


@pytest.mark.parametrize(
    ("given", "expected"), [("1", 1), ("0", 1), ("9999", None), ("", None), ("4,2", None)]
)
def test_as_many_processors_as_the_job_was_given(
    monkeypatch: pytest.MonkeyPatch, given: str, expected: int | None
) -> None:
    import os

    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert processors() == (expected or len(os.sched_getaffinity(0)))
