"""Verifiers accept what is right however it is written, and nothing else."""

from __future__ import annotations

import threading
import time

import pytest

from manus.scorers.math_answer import boxed, extract, same_answer, score
from manus.scorers.tool_calls import compare, same_names


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{1} no, \boxed{2}", "2"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{1} and then \boxed{2", "1"),
        (r"\boxed{} \fbox{9}", "9"),
        (r"#### 5 but \boxed{6}", "6"),
        ("48/2 = 24\n#### 1,234", "1,234"),
        ("The answer is 3.5. Bye", "3.5"),
        ("So the final answer is: **12**.", "12"),
        ("the answer is 3. No, the answer is $4$.", "4"),
        ("Answer: 7", "7"),
        (" -12 ", "-12"),
        ("It is 12", None),
        ("", None),
        (r"\boxed{", None),
    ],
)
def test_the_final_answer_is_found(text, answer):
    assert extract(text) == answer


def test_only_balanced_boxes_count():
    assert boxed(r"\boxed{a{b}c} {") == "a{b}c"
    assert boxed("a proof") is None


EQUAL = [
    ("72", "72.0"), ("1,234", "1234"), ("1{,}234", "1234"), (r"\frac{1}{2}", "0.5"), ("0.5", "1/2"),
    ("-3", "-3.00"), (r"2\sqrt{3}", r"\sqrt{12}"), ("x^2+2x+1", "(x+1)^2"), (r"\{1,2\}", r"\{2,1\}"),
    ("(1,2)", "(1, 2)"), (r"\$18", "18"), ("$18$", "18"), (r"90^\circ", "90"), (r"12\text{ cm}", "12"),
    ("Friday", "friday."), ("A", "(A)"), (r"\text{(B)}", "B"), ("4:30", "4:30"), ("x=5", "5"),
    (r"\(7\)", "7"), ("10^{10}", "10000000000"),
]  # fmt: skip
DIFFERENT = [
    ("72", "73"), ("5", "-5"), ("1,2", "12"), ("0.3", "1/3"), (r"\frac{1}{2}", r"\frac{2}{1}"),
    ("x+1", "x-1"), ("(1,2)", "(2,1)"), ("Friday", "dairFy"), ("no", "on"), ("1:10", "2:20"),
    ("4:30", "4:03"), ("2022-10-12", "2000"), ("Cy", "Ann"), ("5", "five"), ("12", "13 apples"), ("A", "B"),
    ("5", ""), ("", ""), ("10", "1 0 0"),
]  # fmt: skip


@pytest.mark.parametrize(("reference", "got"), EQUAL)
def test_equal_answers(reference, got):
    assert same_answer(reference, got)


@pytest.mark.parametrize(("reference", "got"), DIFFERENT)
def test_different_answers(reference, got):
    assert not same_answer(reference, got)


COSTLY = [
    "9^{9^{9}}",
    "9^{9^{9^9}}",
    "9^{99999999}",
    "9**99999999",
    "(1+x)^{5000}",
    "(x+y+z)^{99}",
    "99999999!",
    "(9!)!",
    r"\int_0^1 \sin(x^x) dx",
    "1" * 100_000,
    "{" * 5000,
    "9^(9^9)",
]


@pytest.mark.parametrize("answer", COSTLY, ids=range(len(COSTLY)))
def test_answers_that_would_never_end_are_only_compared_as_text(answer):
    started = time.monotonic()
    assert not same_answer("42", answer)
    assert same_answer(answer, answer)
    assert time.monotonic() - started < 2


def test_it_works_off_the_main_thread_where_signals_do_not():
    seen = []
    thread = threading.Thread(
        target=lambda: seen.append(score(r"\frac{1}{2}", r"\boxed{\frac{2}{4}}").correct)
    )
    thread.start()
    thread.join()
    assert seen == [True]


def test_the_score_says_why():
    assert score("12", r"\boxed{12}").correct
    wrong, silent = score("12", r"\boxed{13}"), score("12", "I do not know")
    assert (
        not wrong.correct and "12" in wrong.note and "13" in wrong.note and wrong.parts == {"answered": 1.0}
    )
    assert not silent.correct and silent.note == "no answer found" and silent.parts == {"answered": 0.0}


TOOLS = [
    {
        "name": "f",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer"},
                "share": {"type": "number"},
                "loud": {"type": "boolean"},
                "unit": {"type": "string", "default": "c"},
                "ids": {"type": "array", "items": {"type": "integer"}},
            },
        },
    },
    {"name": "g", "parameters": {"type": "object", "properties": {}}},
]


def f(**arguments):
    return {"name": "f", "arguments": arguments}


G = {"name": "g", "arguments": {}}


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ([], []),
        ([f(city="Oslo")], [f(city=" Oslo ")]),
        ([f(share=1)], [f(share=1.0)]),
        ([f(share=1.0)], [f(share=1)]),
        ([f(days=3)], [f(days=3)]),
        ([f(loud=True)], [f(loud=True)]),
        ([f(city="a", days=1)], [f(days=1, city="a")]),
        ([f(days=1), G], [G, f(days=1)]),
        ([f(days=1), f(days=2)], [f(days=2), f(days=1)]),
        ([f(city="Oslo")], [f(city="Oslo", unit="c")]),
        ([f(city="Oslo", unit="c")], [f(city="Oslo")]),
        ([f(ids=[1, 2])], [f(ids=[1, 2])]),
        (
            [{"name": "unknown", "arguments": {"x": {"y": [1, None]}}}],
            [{"name": "unknown", "arguments": {"x": {"y": [1, None]}}}],
        ),
    ],
)
def test_calls_that_are_the_same(expected, got):
    assert compare(expected, got, TOOLS) == (True, "")


@pytest.mark.parametrize(
    ("expected", "got", "note"),
    [
        ([], [G], "expected no call, got one call"),
        ([G], [], "expected one call, got no call"),
        ([f(days=1)], [f(days=1), f(days=1)], "expected one call, got 2 calls"),
        ([f(days=1), f(days=1)], [f(days=1), f(days=2)], "days: expected 1, got 2"),
        ([G], [f()], "expected g, got f"),
        ([f(city="Oslo")], [f(city="oslo")], "city: expected 'Oslo', got 'oslo'"),
        ([f(days=3)], [f(days="3")], "days: expected 3, got '3'"),
        ([f(days=3)], [f(days=3.0)], "days: expected 3, got 3.0"),
        ([f(days=1)], [f(days=True)], "days: expected 1, got True"),
        ([f(loud=True)], [f(loud="true")], "loud"),
        ([f(loud=True)], [f(loud=1)], "loud"),
        ([f(city="Oslo")], [f()], "city is missing"),
        ([f()], [f(city="Oslo")], "city was not asked for"),
        ([f(city="Oslo")], [f(city="Oslo", unit="f")], "unit"),
        ([f(ids=[1, 2])], [f(ids=[2, 1])], "ids"),
        ([f(ids=[1])], [f(ids=[1, 2])], "ids"),
        ([f(ids=[1])], [f(ids=["1"])], "ids"),
        ([f(city="Oslo")], [f(city=None)], "city"),
    ],
)
def test_calls_that_differ(expected, got, note):
    correct, said = compare(expected, got, TOOLS)
    assert not correct
    assert note in said


def test_names_are_compared_without_order():
    assert same_names([f(), G], [G, f(days=1)])
    assert not same_names([f(), f()], [f(), G])
