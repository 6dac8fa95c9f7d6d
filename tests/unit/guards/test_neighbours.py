"""Threads spin while they wait only where the processors are ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manus.guards import neighbours
from manus.guards.neighbours import SPIN_COUNT, SPINS, Counters, Neighbours, counters, is_limited

STAT = """cpu  9 9 9 9 9 9 9 9 9 9
cpu0 100 10 50 800 40 5 5 30 70 0
cpu1 1 0 0 500 0 0 0 0 0 0
cpu2 999 0 0 0 0 0 0 0 0 0
intr 5
"""


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SPIN_COUNT, "")  # so that it is put back afterwards
    monkeypatch.delenv(SPIN_COUNT)
    monkeypatch.setattr(neighbours, "is_limited", lambda: False)


def chosen(monkeypatch: pytest.MonkeyPatch, used: float, own: float) -> str:
    """Return what is chosen after ten seconds in which the processors were used so long, by us so long."""
    told: Iterator[Counters] = iter([Counters(0.0, 100.0, 5.0), Counters(10.0, 100.0 + used, 5.0 + own)])
    monkeypatch.setattr(neighbours, "counters", lambda: next(told))
    Neighbours().choose_waiting()
    return neighbours.os.environ[SPIN_COUNT]


def test_used_seconds_are_those_of_the_processors_that_we_may_use(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(STAT)
    found = counters(tmp_path / "stat", [0, 1])
    assert found is not None and found.used == pytest.approx(2.01)
    assert counters(tmp_path / "stat", [7]) is None
    assert counters(tmp_path / "absent", [0]) is None


@pytest.mark.parametrize(
    ("used", "own", "spins"), [(10.0, 9.5, SPINS), (9.0, 9.2, SPINS), (15.0, 10.0, "0"), (20.0, 1.0, "0")]
)
def test_threads_spin_where_only_this_process_works(
    used: float, own: float, spins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen(monkeypatch, used, own) == spins


def test_they_sleep_where_nothing_is_told_or_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "counters", lambda: None)
    Neighbours().choose_waiting()
    assert neighbours.os.environ[SPIN_COUNT] == "0"
    monkeypatch.delenv(SPIN_COUNT)
    monkeypatch.setattr(neighbours, "is_limited", lambda: True)
    assert chosen(monkeypatch, 1.0, 1.0) == "0"


def test_who_has_set_it_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SPIN_COUNT, "7")
    Neighbours().choose_waiting()
    assert neighbours.os.environ[SPIN_COUNT] == "7"


@pytest.mark.parametrize(
    ("text", "limited"), [("max 100000\n", False), ("50000 100000\n", True), ("99900000 100000\n", False)]
)
def test_a_containers_quota_is_seen(text: str, limited: bool, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert is_limited(tmp_path / "cpu.max") == limited
    assert not is_limited(tmp_path / "absent")


def test_a_busy_neighbour_is_noticed() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: sum(range(10_000))"])
    try:
        found = Neighbours().used()
        assert found is not None and found > 0.1
    finally:
        busy.kill()
        busy.wait()
