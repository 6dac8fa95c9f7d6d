from __future__ import annotations

from typing import Any

import pytest

from manus.report.completions import (
    LONGEST_GLANCE,
    SHOWN_PROMPTS,
    SHOWN_STEPS,
    choose_completions,
    glance,
    spread,
)
from manus.report.samples import LONGEST_TEXT


def row(step: int, prompt: str = "p", completion: str = "c", **more: Any) -> dict[str, Any]:
    return {"step": step, "prompt": prompt, "completion": completion, **more}


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(0, []), (1, [0]), (5, [0, 1, 2, 3, 4]), (6, [0, 1, 2, 4, 5]), (101, [0, 25, 50, 75, 100])],
)
def test_steps_are_spread_with_both_ends(count: int, chosen: list[int]) -> None:
    assert spread(range(count)) == chosen


def test_prompts_that_come_back_are_followed() -> None:
    rows = [row(step, prompt) for step in range(0, 100, 10) for prompt in ("a", "b", f"once {step}")]
    chosen = choose_completions(rows)
    assert [prompted.prompt for prompted in chosen] == ["a", "b"]
    for prompted in chosen:
        steps = [written.step for written in prompted.written]
        assert (steps[0], steps[-1], len(steps)) == (0, 90, SHOWN_STEPS)


def test_not_more_prompts_are_followed_than_one_reads() -> None:
    rows = [row(step, str(prompt)) for step in (1, 2) for prompt in range(20)]
    assert len(choose_completions(rows)) == SHOWN_PROMPTS


def test_prompts_that_do_not_come_back_stand_for_their_steps() -> None:
    rows = [row(step, f"{step} {index}") for step in range(0, 100, 10) for index in range(4)]
    rows.append(row(90, "0 0"))  # by chance
    chosen = choose_completions(rows)
    assert [prompted.written[0].step for prompted in chosen] == [0, 20, 40, 70, 90]
    assert [prompted.prompt for prompted in chosen] == ["0 0", "20 0", "40 0", "70 0", "90 0"]


def test_of_several_completions_the_first_is_shown_whatever_its_reward() -> None:
    rows = [row(step, completion=str(reward), reward=reward) for step in (2, 1) for reward in (0.0, 1.0)]
    (prompted,) = choose_completions(rows)
    assert [(written.step, written.text) for written in prompted.written] == [(1, "0.0"), (2, "0.0")]


def test_what_is_unknown_is_left_empty() -> None:
    (bare,) = choose_completions([row(3)])
    assert (bare.expected, bare.written[0].reward, bare.written[0].components) == ("", None, {})
    (null,) = choose_completions([row(3, expected=None, reward=None, rewards=None)])
    assert null == bare
    (full,) = choose_completions([row(3, expected="7", reward=1.5, rewards={"form": 0.5})])
    assert (full.expected, full.written[0].reward, full.written[0].components) == ("7", 1.5, {"form": 0.5})
    assert choose_completions([]) == []


def test_long_completions_show_beginning_and_end() -> None:
    text = "start " + "x" * 5000 + " the answer is 7"
    seen = glance(text)
    assert seen.startswith("start")
    assert seen.endswith("the answer is 7")
    assert len(seen) <= LONGEST_GLANCE + 3
    assert glance("x" * LONGEST_GLANCE) == ""
    (prompted,) = choose_completions([row(1, completion=text)])
    assert LONGEST_TEXT <= len(prompted.written[0].text) < LONGEST_TEXT + 40
