"""Finding runs, giving them orders, and the live view, in a real terminal emulator."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pyte
import pytest

from manus.errors import InputError, ManusError
from manus.files import write_json
from manus.guards.registry import register, runs, unregister
from manus.guards.requests import ORDERS
from manus.runs.orders import find_run, order
from manus.runs.watch import bar, sparkline


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "manus" / "runs"


def told(folder: Path, **facts: Any) -> dict[str, Any]:
    """Write the status of a run, by default of this process."""
    me = psutil.Process()
    status = {
        "pid": me.pid,
        "process_started": me.create_time(),
        "host": socket.gethostname(),
        "recipe": "/x/podcast.yaml",
        "artifact": "train/cot",
        "stage": "cot",
        "key": "abcdef0123",
        "state": "training",
        "reason": "",
        "updated_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **facts,
    }
    write_json(folder / "status.json", status)
    return status


def test_a_run_is_listed_while_it_lives(tmp_path: Path, state: Path) -> None:
    assert runs() == []
    register(tmp_path / "status.json")
    assert runs() == [], "a run that has not said anything yet"
    status = told(tmp_path)
    assert runs() == [{**status, "folder": str(tmp_path)}]
    told(tmp_path, process_started=1.0)
    assert runs() == [], "the process number belongs to another by now"
    unregister()
    assert not list(state.iterdir())


def test_what_dead_runs_left_is_removed(state: Path) -> None:
    state.mkdir(parents=True)
    (state / f"{socket.gethostname()}-4194000.json").write_text(json.dumps({"status": "/gone/status.json"}))
    assert runs() == [] and not list(state.iterdir())


def test_runs_of_other_machines_count_while_fresh(tmp_path: Path, state: Path) -> None:
    state.mkdir(parents=True)
    (state / "elsewhere-7.json").write_text(json.dumps({"status": str(tmp_path / "status.json")}))
    told(tmp_path, host="elsewhere", pid=7)
    assert [run["host"] for run in runs()] == ["elsewhere"]
    told(tmp_path, host="elsewhere", pid=7, updated_at="2020-01-01T00:00:00Z")
    assert runs() == []


def test_a_run_is_found_by_any_of_its_names(tmp_path: Path) -> None:
    one = told(tmp_path / "a", pid=11)
    other = told(tmp_path / "b", pid=12, stage="tools", artifact="train/tools", key="999999ffff")
    for name in ("cot", "train/cot", "11", "abcd"):
        assert find_run(name, [one, other]) == one
    assert find_run(None, [other]) == other
    for name, words in (
        (None, "2 runs are meant"),
        ("podcast", "2 runs are meant"),
        ("x", "no run is called 'x'"),
    ):
        with pytest.raises(InputError, match=words) as refused:
            find_run(name, [one, other])
        assert "12  podcast train/tools  training" in str(refused.value)


def test_nothing_is_sent_to_a_stranger(tmp_path: Path) -> None:
    status = {**told(tmp_path, process_started=1.0), "folder": str(tmp_path)}
    with pytest.raises(ManusError, match="its number belongs to another"):
        order(status, "pause")
    assert not (tmp_path / ORDERS["pause"]).exists()


def test_a_run_of_another_machine_gets_its_order_by_file(tmp_path: Path) -> None:
    status = {**told(tmp_path, host="elsewhere", pid=1), "folder": str(tmp_path)}
    assert "it will at its next safe point" in order(status, "pause", answer_seconds=0.3)
    assert json.loads((tmp_path / ORDERS["pause"]).read_text())["order"] == "pause"


@pytest.mark.parametrize(
    ("state", "reason", "word", "is_needless"),
    [
        ("paused", "asked by SIGUSR1", "pause", True),
        ("paused", "it is too hot: 90 °C", "pause", False),
        ("paused", "the disk is full: ...", "pause", False),
        ("training", "", "resume", True),
        ("cooling", "resting", "resume", False),
        ("checkpointing", "", "resume", False),
    ],
)
def test_only_needless_orders_are_not_given(
    tmp_path: Path, state: str, reason: str, word: str, is_needless: bool
) -> None:
    status = {**told(tmp_path, state=state, reason=reason), "folder": str(tmp_path)}
    assert ("already" in order(status, word, answer_seconds=0)) == is_needless
    assert (tmp_path / ORDERS[word]).exists() != is_needless


def test_a_run_that_died_is_said_to_have_ended(tmp_path: Path) -> None:
    status = {**told(tmp_path), "folder": str(tmp_path)}
    told(tmp_path, state="failed")
    assert "has ended meanwhile" in order(status, "pause", answer_seconds=5)


def test_sparkline_and_bar() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([5, 5, 5], 10) == "▁▁▁"
    assert len(sparkline(list(range(1000)), 40)) == 40
    assert sparkline([], 10) == ""
    assert bar(0, 10).count("█") == 0 and bar(10, 10).count("░") == 0 and bar(1, 0)


class Terminal:
    """A process in a terminal, whose screen is read as a person sees it."""

    def __init__(self, command: list[str], columns: int = 100, lines: int = 24) -> None:
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        master, slave = pty.openpty()
        size = {"COLUMNS": str(columns), "LINES": str(lines), "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **size}
        )
        os.close(slave)
        self.master = master

    def wait_for(self, pattern: str, seconds: float = 15) -> str:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.stream.feed(os.read(self.master, 65536))
                except OSError:
                    break
            if re.search(pattern, text := "\n".join(self.screen.display)):
                return text
        raise AssertionError(f"{pattern!r} is not on the screen:\n" + "\n".join(self.screen.display))

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())


def test_the_live_view_in_a_terminal(tmp_path: Path) -> None:
    register(tmp_path / "status.json")
    told(
        tmp_path,
        step=30,
        total_steps=120,
        epoch=0.25,
        loss=0.5,
        losses=[2.0, 1.5, 1.0, 0.5],
        tokens_per_second=321.0,
        temperature=61.0,
        eta_seconds=90,
    )
    terminal = Terminal([sys.executable, "-m", "manus", "watch"])
    text = terminal.wait_for(r"2\.000 → 0\.500")
    for words in (
        "manus watch",
        "podcast train/cot",
        "training",
        "30/120",
        "0.500",
        "321",
        "61",
        "1m30s",
        "25%",
        "█▆▃▁",
    ):
        assert words in text, (words, text)
    terminal.type("p")
    terminal.wait_for("asked to pause; it will at its next safe point")
    ends_at = time.monotonic() + 5
    while not (tmp_path / ORDERS["pause"]).exists() and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert json.loads((tmp_path / ORDERS["pause"]).read_text())["order"] == "pause"
    told(
        tmp_path,
        state="paused",
        step=31,
        total_steps=120,
        reason="asked by me@here",
        since="2026-01-01T10:00:00Z",
    )
    terminal.wait_for("31/120")
    terminal.wait_for("asked by me@here, since 2026-01-01T10:00:00Z")
    terminal.type("q")
    assert terminal.process.wait(10) == 0


def test_the_live_view_wants_a_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "manus", "watch"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (
        2,
        "manus watch needs a terminal; `manus status --json` is for programs\n",
    )
