"""What a run does at its safe points, with signals sent to this very process."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from manus.errors import Interrupted
from manus.guards import run as run_module
from manus.guards.checkpoint import is_disk_full
from manus.guards.clock import WorkClock
from manus.guards.requests import Requests, give_order
from manus.guards.run import Run, Save, Work
from manus.guards.settings import GuardSettings

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """A run that listens to this process's signals; they are put back afterwards."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(run_module, "CLOCK", WorkClock())
    before = {number: signal.getsignal(number) for number in SIGNALS}
    requests = Requests()
    requests.listen()
    yield Run(requests)
    for number, handler in before.items():
        signal.signal(number, handler)


def later(seconds: float, *numbers: int) -> None:
    """Send signals to this process after a while, one after the other."""

    def send() -> None:
        for number in numbers:
            time.sleep(seconds)
            os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()


def send(number: int) -> None:
    os.kill(os.getpid(), number)


class Saved:
    """Work that notes what is done to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.did = folder, []  # type: ignore[var-annotated]
        self.work = Work(
            Save(self.write, lambda: 10, folder), lambda: self.note("park"), lambda: self.note("unpark")
        )

    def note(self, what: str) -> None:
        self.did.append(what)

    def write(self) -> Path:
        self.note("save")
        return self.folder / "checkpoint-3"


def status(folder: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads((folder / "status.json").read_text())
    return told


def test_nothing_asked_nothing_done(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = Saved(tmp_path)
    with run.of(tmp_path, GuardSettings(), "training"):
        for step in range(1, 500):
            run.cross("training", step, saved.work)
    assert saved.did == [] and capsys.readouterr().out == ""


def test_usr1_pauses_gives_up_memory_and_stops_the_clock(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = Saved(tmp_path)
    with run.of(tmp_path, GuardSettings(), "training", stage="cot"):
        send(signal.SIGUSR1)
        later(0.3, signal.SIGUSR2, signal.SIGUSR1)
        before, wall = run_module.CLOCK.now(), time.monotonic()
        run.cross("training cot", 3, saved.work)
        assert time.monotonic() - wall > 0.5
        assert run_module.CLOCK.now() - before < 0.1
        assert status(tmp_path)["state"] == "training"
    assert saved.did == ["park", "save", "unpark"]
    text = capsys.readouterr().out
    assert (
        "Paused at step 3... (SIGUSR1 to resume)" in text
        and "Checkpoint saved: " in text
        and "Resumed at step 3" in text
    )


def test_memory_is_kept_when_told_so(run: Run, tmp_path: Path) -> None:
    saved = Saved(tmp_path)
    with run.of(tmp_path, GuardSettings(pause_keeps_memory=True), "training"):
        send(signal.SIGUSR1)
        later(0.2, signal.SIGUSR1)
        run.cross("training", 3, saved.work)
    assert saved.did == []


def test_two_toggles_are_none(run: Run, tmp_path: Path) -> None:
    with run.of(tmp_path, GuardSettings(), "training"):
        send(signal.SIGUSR1)
        send(signal.SIGUSR1)
        run.cross("training", 3)
        assert not run.is_paused


def test_term_ends_a_pause_and_saves(run: Run, tmp_path: Path) -> None:
    saved = Saved(tmp_path)
    with (
        pytest.raises(Interrupted, match="SIGTERM while training; saved in checkpoint-3"),
        run.of(tmp_path, GuardSettings(), "training"),
    ):
        send(signal.SIGUSR1)
        later(0.2, signal.SIGTERM)
        run.cross("training", 3, saved.work)
    assert saved.did == ["park", "unpark", "save"]
    assert status(tmp_path)["state"] == "interrupted"


def test_orders_in_the_control_file_are_obeyed_and_old_ones_are_void(run: Run, tmp_path: Path) -> None:
    give_order(tmp_path, "pause", "an earlier life")
    with run.of(tmp_path, GuardSettings(), "training"):
        run.cross("training", 1)
        assert not run.is_paused
        give_order(tmp_path, "pause", "me@here")
        resume = threading.Timer(0.4, give_order, (tmp_path, "resume", "me@here"))
        resume.start()
        time.sleep(0.25)
        wall = time.monotonic()
        run.cross("training", 2)
        assert time.monotonic() - wall > 0.1 and not run.is_paused


@pytest.mark.parametrize("number", [None, signal.SIGUSR1])
def test_cooldown_rests_at_its_steps_and_can_be_skipped(run: Run, tmp_path: Path, number: int | None) -> None:
    saved = Saved(tmp_path)
    seconds = 0.3 if number is None else 60.0
    with run.of(tmp_path, GuardSettings(cooldown_every_steps=2, cooldown_seconds=seconds), "training"):
        run.cross("training", 1, saved.work)
        assert saved.did == []
        if number is not None:
            later(0.2, number)
        wall = time.monotonic()
        run.cross("training", 2, saved.work)
        assert 0.1 < time.monotonic() - wall < 5
        assert saved.did == ["park", "unpark"] and not run.is_paused
        run.cross("training", 4, saved.work, is_last=True)
    assert saved.did == ["park", "unpark"], "it rested after the last step"


def test_a_checkpoint_asked_for_where_a_rest_is_due_is_saved_first(run: Run, tmp_path: Path) -> None:
    saved = Saved(tmp_path)
    with run.of(tmp_path, GuardSettings(cooldown_every_steps=2, cooldown_seconds=0.3), "training"):
        send(signal.SIGUSR2)
        run.cross("training", 2, saved.work)
    assert saved.did == ["save", "park", "unpark"]


def test_a_pause_where_a_rest_is_due_is_a_pause(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with run.of(tmp_path, GuardSettings(cooldown_every_steps=2), "training"):
        send(signal.SIGUSR1)
        later(0.3, signal.SIGUSR1)
        run.cross("training", 2)
    assert "Paused at step 2" in (text := capsys.readouterr().out) and "Cooling" not in text


def test_stopping_after_the_last_step_lets_the_results_be_written(run: Run, tmp_path: Path) -> None:
    with run.of(tmp_path, GuardSettings(), "training"):
        send(signal.SIGTERM)
        run.cross("training", 9, is_last=True)
    assert status(tmp_path)["state"] == "done"


def test_a_checkpoint_in_a_pause_on_a_full_disk_keeps_the_pause(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, free = Saved(tmp_path), [0]
    monkeypatch.setattr(run_module, "free_bytes", lambda folder: free[0])
    seen = []

    def grow() -> None:
        seen.append(status(tmp_path)["reason"])
        free[0] = 10**9

    threading.Timer(0.8, grow).start()
    threading.Timer(1.4, lambda: seen.append(status(tmp_path)["reason"])).start()
    with run.of(tmp_path, GuardSettings(), "training"):
        send(signal.SIGUSR1)
        later(0.2, signal.SIGUSR2)
        threading.Timer(1.8, send, (signal.SIGUSR1,)).start()
        run.cross("training", 3, saved.work)
    assert "the disk is full" in str(seen[0]) and seen[1] == "asked by SIGUSR1"
    assert saved.did == ["park", "save", "unpark"]


def test_a_full_disk_waits_for_room(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, free = Saved(tmp_path), [0]
    monkeypatch.setattr(run_module, "free_bytes", lambda folder: free[0])
    threading.Timer(0.3, lambda: free.__setitem__(0, 10**9)).start()
    assert saved.work.save is not None
    with run.of(tmp_path, GuardSettings(), "training"):
        assert run.save(saved.work.save) == tmp_path / "checkpoint-3"
    assert saved.did == ["save"]
    assert "the disk is full: a checkpoint needs 1.0 MB, 0.0 MB are free" in capsys.readouterr().out


def test_a_disk_that_fills_while_it_is_written_to_waits_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def write() -> Path:
        tries.append(1)
        if len(tries) == 1:
            raise OSError(28, "No space left on device")
        return tmp_path

    monkeypatch.setattr(run_module, "SECONDS_TO_NEXT_TRY", 0.1)
    with run.of(tmp_path, GuardSettings(), "training"):
        assert run.save(Save(write, lambda: 10, tmp_path)) == tmp_path
    assert len(tries) == 2


def test_other_errors_of_writing_are_not_hidden(run: Run, tmp_path: Path) -> None:
    def write() -> Path:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"), run.of(tmp_path, GuardSettings(), "training"):
        run.save(Save(write, lambda: 10, tmp_path))
    assert status(tmp_path)["state"] == "failed"


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("basic_ios::clear: iostream error"),
        RuntimeError("unexpected pos 704 vs 598"),
    ],
)
def test_a_full_disk_is_recognised_in_the_words_of_each_library(error: Exception) -> None:
    assert is_disk_full(error)
    wrapped = ValueError("something else")
    wrapped.__context__ = error
    assert is_disk_full(wrapped) and not is_disk_full(OSError(13, "Permission denied"))


def test_a_loss_that_is_no_number_can_be_told(run: Run, tmp_path: Path) -> None:
    with run.of(tmp_path, GuardSettings(), "training"):
        run.step(3, 10, loss=float("nan"))
    assert status(tmp_path)["losses"] == []


def test_a_failure_is_in_the_status(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError), run.of(tmp_path, GuardSettings(), "preparing"):
        raise ValueError("a reason\nwith details")
    assert (status(tmp_path)["state"], status(tmp_path)["reason"]) == ("failed", "a reason")


def test_a_second_interrupt_ends_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr("manus.guards.requests.os._exit", codes.append)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
        send(number)
    assert codes == [] and run.requests.stop == signal.SIGINT
    send(signal.SIGINT)
    assert codes == [75]
