"""The judge stays on its feet whatever a verifier does: hangs, dies, prints, or returns nonsense."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time

import psutil
import pytest

from manus.errors import RewardError
from manus.rewards import judge as judging
from manus.rewards.context import Context
from manus.rewards.judge import Judge
from manus.rewards.outcome import Outcome
from manus.rewards.settings import RewardSettings
from manus.rewards.tally import MOST_REASONS, Tally

MINE = """
import os, random, signal, subprocess, sys, threading, time

print("loading is no answer")

class Odd(Exception):
    def __str__(self):
        raise RuntimeError

def odd(): raise Odd
def fork():
    if os.fork() == 0:
        return 7.0
    time.sleep(0.1)
    return 0.25
def leave_a_child():
    subprocess.Popen(["sleep", "60"])
    time.sleep(60)
def read_stdin():
    return 0.5 if sys.stdin.read() == "" and os.read(0, 1) == b"" else 0.0
def printing():
    print("x" * 100_000); sys.__stdout__.write("[0, 9.0, null]\\n"); sys.__stdout__.flush()
    os.write(1, b"[0, 9.0, null]\\n")
    return 0.5
def signalled():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(os.getpid(), number)
    return 0.5

DOES = {
    "fine": lambda: 0.5, "int": lambda: 1, "true": lambda: True, "print": printing, "stdin": read_stdin,
    "signals": signalled, "fork": fork, "draw": random.random,
    "hang": lambda: time.sleep(60), "spin": lambda: exec("while True: pass"), "leave a child": leave_a_child,
    "raise": lambda: 1 / 0, "odd": odd, "exit": lambda: sys.exit(3), "interrupt": lambda: (_ for _ in ()).throw(KeyboardInterrupt),
    "nan": lambda: float("nan"), "inf": lambda: -float("inf"), "huge": lambda: 10**400,
    "text": lambda: "abc", "none": lambda: None, "list": lambda: [1.0],
    "die": lambda: os._exit(3), "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
}

def reward(completion, **_):
    return DOES[completion]()
"""

SAMPLE = {"messages": [{"role": "user", "content": "?"}], "answer": "fine"}
FINE = [
    RewardSettings(verifier="exact-match"),
    RewardSettings(verifier="python", name="mine", weight=2.0, options={"file": "mine.py"}),
]


@pytest.fixture
def context(tmp_path):
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    return Context("cot", tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "mine.py").write_text(MINE, encoding="utf-8")
    said = []
    with Judge(
        FINE, Context("cot", folder), timeout_seconds=0.5, failure_budget=1.0, say=said.append
    ) as made:
        made.said = said
        yield made


@pytest.fixture
def judge(shared):
    """A judge that has counted nothing yet; its worker may have scored for other tests."""
    shared.restore({"scored": {"exact-match": 0, "mine": 0}, "failures": []})
    shared.said.clear()
    return shared


def score(judge: Judge, *completions: str):
    return judge.score([SAMPLE] * len(completions), completions)


def test_weighted_sum_and_components(judge):
    scores = score(judge, "fine", "int", "true")
    assert scores.components == {"exact-match": [1.0, 0.0, 0.0], "mine": [0.5, 1.0, 1.0]}
    assert scores.total == [2.0, 2.0, 2.0]
    assert score(judge).total == [] and judge.failures == []


@pytest.mark.parametrize(
    ("does", "expected"), [("print", 0.5), ("stdin", 0.5), ("signals", 0.5), ("fork", 0.25)]
)
def test_what_does_no_harm(judge, does, expected, capfd):
    assert score(judge, does, "fine", does).components["mine"] == [expected, 0.5, expected]
    assert not judge.failures and not capfd.readouterr().out


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("hang", "took longer than 0.5 s"),
        ("spin", "took longer than 0.5 s"),
        ("leave a child", "took longer than 0.5 s"),
        ("raise", "raised ZeroDivisionError: division by zero"),
        ("odd", "raised Odd"),
        ("exit", "raised SystemExit: 3"),
        ("interrupt", "raised KeyboardInterrupt"),
        ("nan", "returned nan, not a finite number"),
        ("inf", "returned -inf, not a finite number"),
        ("huge", "returned inf, not a finite number"),
        ("text", "returned str 'abc', not a number"),
        ("none", "returned None, not a number"),
        ("list", "returned list [1.0], not a number"),
        ("die", "ended its process with exit code 3"),
        ("killed", "ended its process by SIGKILL"),
    ],
)
def test_what_fails_counts_as_zero_and_is_told_once(judge, does, reason):
    before = _sleepers()
    scores = score(judge, "fine", does, does, "fine")
    assert scores.components == {"exact-match": [1.0, 0.0, 0.0, 1.0], "mine": [0.5, 0.0, 0.0, 0.5]}
    assert scores.total == [2.0, 0.0, 0.0, 2.0]
    assert judge.failures == [{"component": "mine", "reason": reason, "count": 2, "example": repr(does)}]
    assert judge.said == [f"  reward mine counts as 0: {reason} (first: {does!r})"]
    assert _sleepers() == before


def _sleepers() -> set[int]:
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline() == ["sleep", "60"] and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process.pid)
    return found


def test_a_component_after_the_one_that_hung_is_scored(context):
    rewards = [*reversed(FINE), RewardSettings(verifier="length", options={"target_characters": 4})]
    with Judge(rewards, context, timeout_seconds=0.5, failure_budget=1.0, say=lambda _: None) as judge:
        assert score(judge, "hang", "die").components == {
            "mine": [0.0, 0.0],
            "exact-match": [0.0, 0.0],
            "length": [1.0, 0.75],
        }


def test_the_same_completion_has_the_same_score_also_when_it_draws(judge):
    first = score(judge, "draw", "fine", "draw").total
    assert first[0] == first[2] and score(judge, "die", "draw").total[1] == first[0]


def test_above_its_budget_the_scoring_stops(context):
    with Judge(FINE, context, say=lambda _: None) as judge:
        score(judge, *["raise"], *["fine"] * 19)
        with pytest.raises(RewardError) as caught:
            score(judge, "fine", "none")
    message = str(caught.value)
    assert (
        "reward 'mine' failed for 2 of 22 completions, more than reward_failure_budget 5% allows" in message
    )
    assert (
        "1 x returned None, not a number (first: 'none')" in message
        and "raise reward_failure_budget" in message
    )
    assert caught.value.exit_code == 2
    assert sum(failure["count"] for failure in judge.failures) == 2


def test_few_completions_say_nothing_yet_of_a_budget():
    tally = Tally(["a"])
    for _ in range(19):
        tally.count("a", Outcome(None, "late"), "x")
        tally.check(0.05)
    tally.count("a", Outcome(1.0), "x")
    with pytest.raises(RewardError, match="19 of 20"):
        tally.check(0.05)


def test_a_continued_run_counts_on(context):
    with Judge(FINE, context, say=lambda _: None) as judge:
        score(judge, "raise", *["fine"] * 9)
        state = json.loads(json.dumps(judge.state()))
    with Judge(FINE, context, say=lambda _: None) as judge:
        judge.restore(state)
        assert judge.state() == state
        with pytest.raises(RewardError, match="2 of 20"):
            score(judge, *["fine"] * 9, "raise")


def test_reasons_that_hold_what_was_scored_stay_few():
    tally = Tally(["a"])
    told = [
        tally.count("a", Outcome(None, f"raised ValueError: {number}"), "x")
        for number in range(MOST_REASONS + 10)
    ]
    assert sum(failure is not None for failure in told) == MOST_REASONS + 1
    assert tally.listed()[0]["reason"] == "other reasons" and tally.listed()[0]["count"] == 10


def test_an_interruption_leaves_counts_and_judge_as_they_were(context):
    class Stop(Exception):
        pass

    calls = []

    def stop_at_third_look():
        calls.append(time.monotonic())
        if len(calls) == 3 and is_armed:
            raise Stop

    is_armed = False
    with Judge(
        FINE, context, failure_budget=1.0, say=lambda _: None, while_waiting=stop_at_third_look
    ) as judge:
        is_armed = not calls.clear()
        began = time.monotonic()
        with pytest.raises(Stop):
            score(judge, "fine", "raise", "hang")
        assert time.monotonic() - began < 3
        assert judge.failures == [] and judge.state()["scored"] == {"exact-match": 0, "mine": 0}
        assert score(judge, "fine").total == [2.0]


def test_a_worker_that_died_idle_is_nobodys_failure(judge):
    score(judge, "fine")
    os.kill(judge._worker._process.pid, signal.SIGKILL)
    judge._worker._process.wait()
    assert score(judge, "fine").total == [2.0] and judge.failures == []


def test_a_file_that_changes_meanwhile_is_not_mixed_in(context):
    with Judge(FINE, context, say=lambda _: None) as judge:
        (context.beside / "mine.py").write_text("def reward(**_): return 1.0", encoding="utf-8")
        assert score(judge, "fine").total == [2.0]
        with pytest.raises(RewardError, match="changed while the stage runs"):
            score(judge, "die", "fine")


def test_closing_ends_the_worker_and_twice_is_fine(context):
    judge = Judge(FINE, context)
    score(judge, "fine")
    worker = psutil.Process(judge._worker._process.pid)
    judge.close()
    judge.close()
    assert not worker.is_running()
    assert score(judge, "fine").total == [2.0]
    judge.close()


def test_a_worker_dies_with_its_parent(context):
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        judge = Judge(FINE, context)
        judge._ready()
        os.write(writing, str(judge._worker._process.pid).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    worker = int(os.read(reading, 100))
    until = time.monotonic() + 5
    while psutil.pid_exists(worker) and psutil.Process(worker).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def reward(:", "reward 'mine': .*mine.py cannot be run: SyntaxError"),
        ("other = 1", "reward 'mine': .*mine.py has no function 'reward'"),
        ("import sys; sys.exit('no')", "reward 'mine': raised SystemExit: no"),
        (
            "import os; os._exit(4)",
            "do not load: one of exact-match, mine ended its process with exit code 4",
        ),
        ("while True: pass", "do not load: one of exact-match, mine was not ready within 1 s"),
    ],
)
def test_verifiers_that_do_not_load_are_said_at_once(context, monkeypatch, text, message):
    if "not ready" in message:
        monkeypatch.setattr(judging, "START_SECONDS", 1)
    (context.beside / "mine.py").write_text(text, encoding="utf-8")
    with pytest.raises(RewardError, match=message), Judge(FINE, context):
        pass


def test_a_long_sample_passes_the_pipe(judge):
    sample = {**SAMPLE, "messages": [{"role": "user", "content": "é" * 300_000}]}
    assert judge.score([sample, sample], ["fine", "fine"]).total == [2.0, 2.0]
