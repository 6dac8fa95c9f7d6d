"""What loops for ever is ended, by time or a signal; what asks of a run is ignored when the run is over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from manus.data.sample import RowError, Sample
from manus.data.tokens.chat_templates import template_at_work
from manus.data.tokens.rendering import render
from manus.errors import InputError, Interrupted, ModelError
from manus.guards.patience import Patience
from manus.guards.requests import REQUESTS
from manus.guards.workers import side_by_side
from tests.pico import tokenizer

LOOP = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% if a < 0 %}{{ a }}{% endif %}"
    "{% endfor %}{% endfor %}"
)
CHAT: Sample = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


def spin(seconds: float) -> None:
    ends_at = time.process_time() + seconds
    while time.process_time() < ends_at:
        pass


def test_what_takes_too_long_is_given_up_and_at_last_all_of_it() -> None:
    patience = Patience(seconds=0.6, times=2)
    with (
        pytest.raises(RowError, match=r"counting takes more than 0\.6 s"),
        patience.waiting("counting", RowError, InputError),
    ):
        spin(30)
    with patience.waiting("counting", RowError, InputError):
        spin(0.1)
    with (
        pytest.raises(InputError, match="2 times; does it loop"),
        patience.waiting("counting", RowError, InputError),
    ):
        spin(30)
    spin(1.2)  # nothing waits any more


def test_what_catches_its_end_is_ended_again() -> None:
    patience = Patience(seconds=0.6, times=2)
    caught = []
    with pytest.raises(RowError), patience.waiting("counting", RowError, InputError):
        while len(caught) < 3:
            try:
                spin(30)
            except RowError as error:
                caught.append(error)
    assert len(caught) == 3


def test_the_outermost_wait_counts() -> None:
    patience = Patience(seconds=0.8, times=9)
    with pytest.raises(RowError), patience.waiting("all", RowError, InputError):
        for _ in range(300):
            with patience.waiting("one", RowError, InputError):
                spin(0.1)


def test_time_asleep_does_not_count() -> None:
    with Patience(seconds=0.6, times=1).waiting("sleeping", RowError, InputError):
        time.sleep(1.5)


def test_other_threads_work_as_they_did() -> None:
    done = []

    def work() -> None:
        with Patience(seconds=0.1, times=1).waiting("elsewhere", RowError, InputError):
            spin(0.8)
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


@pytest.mark.parametrize("count", [1, 2])
def test_a_template_that_loops_is_given_up_also_in_workers(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    from manus.data.tokens import chat_templates

    monkeypatch.setattr(chat_templates, "PATIENCE", Patience(seconds=0.7, times=2))
    words = tokenizer()
    words.chat_template = LOOP

    def work(task: int, report: Any) -> str:
        try:
            render(words, CHAT)
        except RowError as error:
            return str(error)
        return "rendered"

    with pytest.raises(ModelError, match="does it loop"):
        for _, told in side_by_side(range(9), work, count, "rendering", lambda *_: None):
            assert "takes more than 0.7 s" in told


def test_a_signal_ends_a_template_that_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    words = tokenizer()
    words.chat_template = LOOP
    monkeypatch.setattr(REQUESTS, "stop", None)
    timer = threading.Timer(0.3, lambda: setattr(REQUESTS, "stop", signal.SIGTERM))
    timer.start()
    with pytest.raises(Interrupted, match="SIGTERM while writing a conversation with the chat template"):
        render(words, CHAT)
    timer.join()


@pytest.mark.parametrize("said", [
    "{{ 1 / 0 }}", "{{ 10.0 ** 999 }}", "{{ [1][5] }}{{ [][0].a }}", "{{ nothing.there }}",
    "{{ messages | nonsense }}", "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
    "{{ raise_exception('no') }}", "{{ 'a' + 1 }}", "{{ messages | sum }}", "{% for a in 5 %}{% endfor %}",
    "{{ ''.__class__.__mro__ }}", "{{ '%d' | format('a') }}", "{{ 9 ** 99999 }}", "{% if %}",
    "{{ dict(a=1)['b'].c }}", "{% include 'x' %}",
])  # fmt: skip
def test_whatever_a_template_raises_is_the_rows_reason(said: str) -> None:
    words = tokenizer()
    words.chat_template = said
    with pytest.raises(RowError, match="the chat template"):
        render(words, CHAT)


def test_every_built_in_exception_of_a_template_is_the_rows_reason() -> None:
    for kind in (
        ZeroDivisionError,
        OverflowError,
        RecursionError,
        IndexError,
        KeyError,
        MemoryError,
        StopIteration,
    ):
        with pytest.raises(RowError, match=kind.__name__), template_at_work():
            raise kind


FINISHED = """
import os, signal, time
from manus.guards.requests import REQUESTS
class Slow:
    def __del__(self, os=os, signal=signal, time=time):  # while the interpreter shuts down
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            os.kill(os.getpid(), number)
        time.sleep(0.1)
        os.write(1, b"down")
REQUESTS.listen()
kept = Slow()
print("built", flush=True)
"""


def test_asking_a_process_that_shuts_down_does_not_kill_it(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FINISHED],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert ended.returncode == 0, ended
    assert ended.stdout.split() == ["built", "down"]
