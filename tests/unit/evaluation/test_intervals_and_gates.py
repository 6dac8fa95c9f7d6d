"""Intervals cover what they should; gates decide on the merged model."""

from __future__ import annotations

import random
from typing import Any

import pytest

from manus.evaluation.gate_settings import GateSettings
from manus.evaluation.gates import judge, judge_all, judge_streams
from manus.evaluation.intervals import paired_bootstrap, wilson
from manus.evaluation.probes import gain


def test_wilson_agrees_with_the_published_example() -> None:
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 50)[0] == 0.0 and wilson(50, 50)[1] == pytest.approx(1.0)


def test_wilson_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = random.Random(0)
    hits = 0
    for _ in range(1000):
        low, high = wilson(sum(draw.random() < 0.3 for _ in range(60)), 60)
        hits += low <= 0.3 <= high
    assert 930 <= hits <= 975


def test_a_paired_difference_is_surer_than_its_parts() -> None:
    before = [float(index % 2) for index in range(100)]
    after = [1.0] * 20 + before[20:]
    low, high = paired_bootstrap(before, after)
    assert low > 0 and high < 0.2
    assert paired_bootstrap(before, before) == (0.0, 0.0)
    assert paired_bootstrap(before, after) == (low, high)


def test_a_gain_without_change_is_not_called_one() -> None:
    draw = random.Random(1)
    before, after = ([float(draw.random() < 0.5) for _ in range(80)] for _ in range(2))
    told = gain({"values": before, "value": 0.5}, {"values": after, "value": 0.5})
    assert told["low"] < 0 < told["high"]


def test_perplexity_gains_are_nats_and_lower_is_better() -> None:
    before = {"values": [2.0, 2.0], "weights": [10, 10], "value": 7.389}
    after = {"values": [1.0, 1.5], "weights": [10, 10], "value": 3.49}
    told = gain(before, after)
    assert told["value"] == pytest.approx(0.75, abs=1e-2)
    assert told["low"] > 0


@pytest.mark.parametrize(
    ("gate", "values", "passes"),
    [
        ({"min_gain": 0.1}, (0.2, 0.5, 0.3), True),
        ({"min_gain": 0.1}, (0.2, 0.5, 0.25), False),
        ({"max_drop": 0.05}, (0.2, 0.5, 0.45), True),
        ({"max_drop": 0.05}, (0.2, 0.5, 0.4), False),
        ({"max_drop": 0.05}, (0.5, 0.2, 0.4), False),
        ({"max_drop": 0.05}, (0.1, 0.5625, 0.5125), True),
        ({"min_gain": -0.1, "max_drop": 0.3}, (0.5, 0.6, 0.4), True),
    ],
)
def test_gates(gate: dict[str, float], values: tuple[float, float, float], passes: bool) -> None:
    verdicts = judge("cot", GateSettings(**gate), *values)
    assert len(verdicts) == len(gate)
    assert all(verdict.is_passed for verdict in verdicts) == passes


def test_a_star_is_for_all_others() -> None:
    stages = {name: {"before": {"value": 0.1}, "after": {"value": 0.5}} for name in ("cot", "tools")}
    merged = {name: {"value": 0.4} for name in stages}
    gates = {"cot": GateSettings(min_gain=0.2), "*": GateSettings(max_drop=0.05)}
    told = judge_all(gates, stages, merged)
    assert [(v.stage, v.limit, v.is_passed) for v in told] == [
        ("cot", "min_gain", True),
        ("tools", "max_drop", False),
    ]
    assert "FAILED: tools: max_drop is +0.100" in str(told[1])


def streams(equal: int, gap: float | None = 0.02) -> dict[str, Any]:
    """What is measured of streams: two comparisons of four answers, one and eight streams."""
    loads = [
        {
            "streams": n,
            "first_token": {"slowest": 0.1 * n},
            "gap": {"p95": gap},
            "tokens_per_second": 20.0 * n,
        }
        for n in (1, 8)
    ]
    return {"comparisons": [{"answers": 4, "equal": 4}, {"answers": 4, "equal": equal}], "loads": loads}


def test_equal_streams_are_always_asked_for() -> None:
    (passed,), (failed,) = (judge_streams("live", None, streams(equal)) for equal in (4, 3))
    assert passed.is_passed and not failed.is_passed
    assert str(failed) == "FAILED: live: 7 of 8 streamed answers are those that come at once"
    nothing = {"comparisons": [], "loads": []}
    assert not judge_streams("live", None, nothing)[0].is_passed, "nothing that was compared proves nothing"


@pytest.mark.parametrize(
    ("limits", "passes"),
    [
        ({"max_first_token_seconds": 0.5}, [True, False]),
        ({"max_first_token_seconds": 0.8}, [True, True]),
        ({"max_gap_p95_seconds": 0.01}, [False, False]),
        ({"max_gap_p95_seconds": 0.03}, [True, True]),
        ({"min_tokens_per_second": 100}, [False, True]),
    ],
)
def test_limits_of_streams_hold_for_one_and_for_eight(limits: dict[str, float], passes: list[bool]) -> None:
    _, *told = judge_streams("live", GateSettings(**limits), streams(4))
    assert [(verdict.streams, verdict.is_passed) for verdict in told] == list(
        zip((1, 8), passes, strict=True)
    )


def test_what_was_not_measured_passes_no_limit() -> None:
    _, one, _ = judge_streams("live", GateSettings(max_gap_p95_seconds=0.5), streams(4, gap=None))
    assert str(one) == "FAILED: live, 1 stream: max_gap_p95_seconds is not measured, must be <= 0.500"


def test_gates_of_probes_have_the_keys_that_they_had() -> None:
    assert GateSettings(min_gain=0.1).identity == {"min_gain": 0.1, "max_drop": None}
    assert GateSettings(max_gap_p95_seconds=0.1).identity["max_gap_p95_seconds"] == 0.1
