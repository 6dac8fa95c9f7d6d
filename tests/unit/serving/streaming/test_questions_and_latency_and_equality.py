"""What is asked when streams are tried, what times say, and how answers are compared."""

from __future__ import annotations

import random
from statistics import quantiles

import pytest

from manus.data.sample import Message, Sample
from manus.serving.streaming.equality import Said, comparison
from manus.serving.streaming.latency import Arrivals, percentile, summary
from manus.serving.streaming.questions import FIXED, questions_of


def sample(question: str, **more: object) -> Sample:
    turns: list[Message] = [{"role": "user", "content": question}, {"role": "assistant", "content": "yes"}]
    return {"messages": turns, **more}  # type: ignore[typeddict-item]


def test_stages_take_turns_and_nothing_comes_twice() -> None:
    held_out = {
        "cot": [sample("a"), sample("b"), sample("b"), sample("c")],
        "tools": [sample("x"), sample("a")],
    }
    told = [(stage, asked[-1]["content"]) for stage, asked in questions_of(held_out, 9)]
    assert told == [("cot", "a"), ("tools", "x"), ("cot", "b"), ("cot", "c")]
    assert questions_of(held_out, 2) == questions_of(held_out, 9)[:2]


def test_what_cannot_be_asked_as_text_is_left_out() -> None:
    medium = {"kind": "image", "file": "x.png"}
    turns: list[Message] = [
        {"role": "user", "content": "call it"},
        {"role": "assistant", "content": "call"},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "so 42"},
    ]
    held_out: dict[str, list[Sample]] = {
        "seeing": [sample("what is this?", media=[medium])],
        "texts": [{"text": "once upon a time"}],
        "tools": [{"messages": turns}, sample(" ")],
    }
    assert [asked[0]["content"] for _, asked in questions_of(held_out, 3)] == list(FIXED[:3])
    held_out["prompts"] = [{"messages": [{"role": "user", "content": "just asked"}]}]
    assert [stage for stage, _ in questions_of(held_out, 3)] == ["prompts"]


def test_a_percentile_is_that_of_the_standard_library() -> None:
    values = [random.Random(3).random() for _ in range(41)]
    cuts = quantiles(values, n=20, method="inclusive")
    assert percentile(values, 0.95) == pytest.approx(cuts[18])
    assert percentile(values, 0.5) == pytest.approx(cuts[9])
    assert (percentile([2.0], 0.95), percentile([], 0.5)) == (2.0, None)


def test_times_of_a_load() -> None:
    first = Arrivals(10.0, (10.5, 10.7, 11.0), 11.0, 4)
    second = Arrivals(20.0, (20.1, 20.2), 20.4, 2)
    told = summary(1, [[first], [second]])
    assert (told["answers"], told["tokens"], told["seconds"]) == (2, 6, pytest.approx(1.4))
    assert told["tokens_per_second"] == pytest.approx(6 / 1.4)
    assert told["first_token"] == {
        "p50": pytest.approx(0.3),
        "p95": pytest.approx(0.48),
        "slowest": pytest.approx(0.5),
    }
    assert told["gap"] == {"p50": pytest.approx(0.2), "p95": pytest.approx(0.29), "count": 3}
    together = summary(2, [[first, Arrivals(10.2, (10.3,), 10.4, 2)]])
    assert (together["seconds"], together["gap"]["count"]) == (pytest.approx(1.0), 2)


def test_answers_without_text_have_no_times() -> None:
    told = summary(1, [[Arrivals(1.0, (), 1.5, 1)]])
    assert told["first_token"] == {"p50": None, "p95": None, "slowest": None}
    assert told["gap"] == {"p50": None, "p95": None, "count": 0}
    assert told["tokens_per_second"] == pytest.approx(2.0)


SAME = Said("yes", "hm", (1, 2), "stop")


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (Said("no", "hm", (1, 2), "stop"), "no"),
        (Said("yes", "", (1, 2), "stop"), "[thought: ]"),
        (Said("yes", "hm", (1, 3), "stop"), "[tokens: [1, 3]]"),
        (Said("yes", "hm", (1, 2), "length"), "[ends by length]"),
    ],
)
def test_any_difference_counts_and_is_shown(other: Said, shown: str) -> None:
    told = comparison("server", "greedy", [SAME, SAME], [SAME, other], ["one?", "two?"])
    assert (told["answers"], told["equal"]) == (2, 1)
    assert told["differences"][0]["question"] == "two?" and shown in told["differences"][0]["streamed"]


def test_answers_that_are_missing_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        comparison("server", "greedy", [SAME, SAME], [SAME], ["one?", "two?"])
