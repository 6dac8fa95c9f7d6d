"""A checkpoint is whole or passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.guards.checkpoint import (
    Counters,
    counters_of,
    is_whole,
    newest_whole,
    remove_leftovers,
    remove_older,
    seal,
)


def saved(run: Path, step: int, loss: float | None = None) -> Path:
    staged = run / ".staging" / f"checkpoint-{step}"
    staged.mkdir(parents=True)
    (staged / "weights").write_text("w" * step)
    seal(staged, run / f"checkpoint-{step}", Counters(tokens=step * 10, work_seconds=1.5, loss=loss))
    return run / f"checkpoint-{step}"


def test_the_newest_whole_one_is_used(tmp_path: Path) -> None:
    assert newest_whole(tmp_path) is None
    for step in (9, 10, 100):
        assert is_whole(saved(tmp_path, step))
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-100"


@pytest.mark.parametrize("harm", ["truncated", "changed", "missing", "unsealed", "bad seal"])
def test_a_torn_one_is_passed_over_and_said(
    tmp_path: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path, 5)
    torn = saved(tmp_path, 10)
    if harm == "missing":
        (torn / "weights").unlink()
    elif harm == "unsealed":
        (torn / "sealed.json").unlink()
    elif harm == "bad seal":
        (torn / "sealed.json").write_text("{")
    else:
        (torn / "weights").write_text("w" if harm == "truncated" else "v" * 10)
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-5"
    assert "checkpoint-10 is torn" in capsys.readouterr().out


def test_older_ones_go(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        saved(tmp_path, step)
    (tmp_path / "checkpoint-latest").mkdir()
    remove_older(tmp_path, keep=2)
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {
        "checkpoint-2",
        "checkpoint-3",
        "checkpoint-latest",
    }


def test_the_best_one_stays(tmp_path: Path) -> None:
    for step, loss in ((1, 0.9), (2, 0.3), (3, 0.8), (4, 0.5), (5, 0.4)):
        saved(tmp_path, step, loss)
        remove_older(tmp_path, keep=2)
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {
        "checkpoint-2",
        "checkpoint-4",
        "checkpoint-5",
    }
    (tmp_path / "checkpoint-2" / "sealed.json").write_text("{")
    remove_older(tmp_path, keep=1)
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {"checkpoint-5"}


def test_counting_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    assert counters_of(saved(tmp_path, 7, 0.25)) == Counters(tokens=70, work_seconds=1.5, loss=0.25)


def test_leftovers_of_a_kill_make_room(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        saved(tmp_path, step)
    (tmp_path / "checkpoint-3" / "weights").write_text("torn")
    (tmp_path / ".staging" / "checkpoint-4").mkdir(parents=True)
    remove_leftovers(tmp_path, newest_whole(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-1", "checkpoint-2"}
