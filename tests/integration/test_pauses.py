"""SIGUSR1 while data are prepared and while a model is measured: both wait, and end in the same results."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from manus.guards.clock import CLOCK
from manus.guards.requests import REQUESTS
from manus.guards.run import RUN
from manus.guards.settings import GuardSettings
from tests.integration.stage import measured, prepared
from tests.pico import rows

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


@pytest.fixture
def paused_soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A run of this process that is paused from its start and resumed after 0.6 seconds."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = {number: signal.getsignal(number) for number in NUMBERS}
    REQUESTS.listen()
    with RUN.of(tmp_path, GuardSettings(), "preparing"):
        os.kill(os.getpid(), signal.SIGUSR1)
        threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_preparing_data_pauses(pico_base: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    calm = prepared(pico_base, tmp_path / "calm", rows("first", 60))
    idle = CLOCK.idle_seconds
    request.getfixturevalue("paused_soon")
    held = prepared(pico_base, tmp_path / "held", rows("first", 60))
    assert CLOCK.idle_seconds - idle > 0.4
    assert (held / "ids.int32").read_bytes() == (calm / "ids.int32").read_bytes()


def test_measuring_pauses(
    pico_base: Path, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    data = prepared(pico_base, tmp_path / "data", rows("last", 60))
    calm = measured(pico_base, [], data)
    idle = CLOCK.idle_seconds
    request.getfixturevalue("paused_soon")
    held = measured(pico_base, [], data)
    assert CLOCK.idle_seconds - idle > 0.4 and "Paused while test..." in capsys.readouterr().out
    assert held["said"] == calm["said"]
