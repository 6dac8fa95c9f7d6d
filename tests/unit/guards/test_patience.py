"""What loops for ever is ended, by time or a signal; what asks of a run is ignored when the run is over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from manus.data.sample import RowError, Sample
from manus.data.tokens import bounded_templates
from manus.data.tokens.chat_templates import template_at_work
from manus.data.tokens.rendering import render
from manus.errors import InputError, Interrupted, ModelError
from manus.guards import patience as patience_module
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


def wait_for(patience: Patience, work: Callable[[], Any]) -> Any:
    return patience.wait_for(work, "counting", RowError, InputError)


def in_a_thread(work: Callable[[], Any]) -> Any:
    """Return what work returns or raises in another thread than the main one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result()


@pytest.fixture(params=["the main thread", "another thread"])
def do(request: pytest.FixtureRequest) -> Callable[[Callable[[], Any]], Any]:
    return in_a_thread if request.param == "another thread" else lambda work: work()


def test_what_takes_too_long_is_given_up_and_at_last_all_of_it(do: Callable[..., Any]) -> None:
    patience = Patience(seconds=0.6, times=2)
    with pytest.raises(RowError, match=r"counting takes more than 0\.6 s"):
        do(lambda: wait_for(patience, lambda: spin(30)))
    assert do(lambda: wait_for(patience, lambda: spin(0.1) or "made")) == "made"
    with pytest.raises(InputError, match="2 times; does it loop"):
        do(lambda: wait_for(patience, lambda: spin(30)))
    do(lambda: spin(1.2))  # nothing waits any more


def test_what_catches_its_end_is_ended_again(do: Callable[..., Any]) -> None:
    patience = Patience(seconds=0.6, times=2)
    caught = []

    def stubborn() -> None:
        while len(caught) < 3:
            try:
                spin(30)
            except BaseException as error:
                caught.append(error)

    with pytest.raises(RowError):
        do(lambda: wait_for(patience, stubborn))
    assert len(caught) == 3


def test_what_stumbles_over_its_end_is_late_all_the_same(do: Callable[..., Any]) -> None:
    def stumbles() -> None:
        try:
            spin(30)
        except BaseException as error:
            raise ValueError("out of order") from error

    with pytest.raises(RowError, match="counting takes more than"):
        do(lambda: wait_for(Patience(seconds=0.6, times=2), stumbles))


def test_errors_of_the_work_are_its_own(do: Callable[..., Any]) -> None:
    def fails() -> None:
        raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        do(lambda: wait_for(Patience(seconds=0.6, times=2), fails))


def test_the_outermost_wait_counts(do: Callable[..., Any]) -> None:
    patience = Patience(seconds=0.8, times=9)

    def all_of_it() -> None:
        for _ in range(300):
            wait_for(patience, lambda: spin(0.1))

    with pytest.raises(RowError):
        do(lambda: wait_for(patience, all_of_it))


def test_time_asleep_does_not_count(do: Callable[..., Any]) -> None:
    do(lambda: wait_for(Patience(seconds=0.6, times=1), lambda: time.sleep(1.5)))


def test_what_other_threads_compute_does_not_count() -> None:
    busy = threading.Thread(target=spin, args=(1.5,))
    busy.start()
    wait_for(Patience(seconds=0.6, times=1), busy.join)


def test_of_several_threads_only_the_one_that_loops_is_given_up() -> None:
    patience = Patience(seconds=0.6, times=99)

    def one(number: int) -> str:
        try:
            wait_for(patience, lambda: spin(30 if number % 2 else 0.05))
        except RowError:
            return "late"
        return "made"

    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(one, range(8))] == ["made", "late"] * 4


def test_work_that_ends_as_it_is_given_up_ends_one_way_or_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience_module, "FIRST_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(patience_module, "LOOK_EVERY_SECONDS", 0.001)
    patience, found = Patience(seconds=0.001, times=10**9), {"late": 0, "made": 0}
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # else all the work may be over before the watcher has its turn
    try:
        for number in range(400):
            try:
                found[wait_for(patience, lambda n=number: spin(n % 20 * 0.0005) or "made")] += 1
            except RowError:
                found["late"] += 1
        time.sleep(0.05)  # nothing is raised behind the work
    finally:
        sys.setswitchinterval(before)
    assert sum(found.values()) == 400 and min(found.values()) > 0, found


@pytest.mark.parametrize("count", [1, 2])
def test_a_template_that_loops_is_given_up_also_in_workers(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(bounded_templates, "PATIENCE", Patience(seconds=0.7, times=2))
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


@pytest.mark.parametrize("template", [
    LOOP,
    "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{{ range(99999) | map('string') | select('eq', 'x') | list }}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% for a in [1] recursive %}{% for b in range(60) %}{{ loop([1]) if b < 0 }}{% endfor %}"
    "{% for b in range(99999) %}{{ range(99999) | sum }}{% endfor %}{% endfor %}",
])  # fmt: skip
def test_a_template_that_loops_is_given_up_in_any_thread(
    template: str, do: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_templates, "PATIENCE", Patience(seconds=0.7, times=9))
    words = tokenizer()
    words.chat_template = template
    with pytest.raises(RowError, match=r"the chat template takes more than 0\.7 s"):
        do(lambda: render(words, CHAT))


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
