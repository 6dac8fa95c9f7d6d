"""What one operation of a template would make is known before it is made; what templates usually do stays."""

from __future__ import annotations

from typing import Any

import pytest

from manus.data.tokens.text_bounds import (
    LARGEST_TEXT,
    format_length,
    is_too_much,
    of_filter,
    of_method,
    printf_length,
    written_length,
)

HUGE = 10**10


@pytest.mark.parametrize(("operator", "left", "right", "expected"), [
    ("*", "ab", LARGEST_TEXT // 2, False), ("*", "ab", LARGEST_TEXT // 2 + 1, True), ("*", 10**9, "ab", True),
    ("*", 2.0, 10**300, False), ("**", 2.0, 10**9, False), ("**", 0, 10**30, False),
    ("**", 10**9, 10**9, True), ("*", None, 3, False), ("**", True, -(10**9), False), ("+", "a", "b", False),
    ("+", 2, HUGE, False), ("+", "a" * (LARGEST_TEXT // 2), "a" * (LARGEST_TEXT // 2 + 1), True),
    ("+", 1.0, "a", False), ("%", "%10000000000d", 1, True), ("%", "%.10000000000f", 1.0, True),
    ("%", "%*d", (HUGE, 1), True), ("%", "%s at 10000000000 %%", 1700000000000, False), ("%", 7, 4, False),
    ("%", "%(a)s" * 3, {"a": "x"}, False), ("%", "%(a)s" * 1000, {"a": "x" * 100_000}, True),
])  # fmt: skip
def test_operators(operator: str, left: Any, right: Any, expected: bool) -> None:
    assert is_too_much(operator, left, right) is expected


@pytest.mark.parametrize(("name", "owner", "values", "expected"), [
    ("center", "a", (80,), False), ("center", "a", (HUGE,), True), ("ljust", "a", (HUGE, "-"), True),
    ("rjust", "a", (HUGE,), True), ("zfill", "1", (HUGE,), True), ("expandtabs", "\t", (HUGE,), True),
    ("expandtabs", "no tab", (HUGE,), False), ("expandtabs", "\t", (), False),
    ("replace", "abc", ("a", "bb"), False), ("replace", "a" * 10_000, ("a", "b" * 10_000), True),
    ("replace", "a" * 10_000, ("a", "b" * 10_000, 1), False),
    ("replace", "a" * 10_000, ("", "b" * 10_000), True), ("join", ",", (["a", "b"],), False),
    ("join", "", (["a" * 1_000_000] * 100,), True), ("join", "a" * 1_000_000, ("b" * 100,), True),
    ("translate", "aa", ({97: "b"},), False), ("translate", "a" * 10_000, ({97: "b" * 10_000},), True),
    ("format", "{} at {:>5}", (1700000000000, "x"), False), ("format", "{:10000000000}", (1,), True),
    ("format", "{:{}}", (1, HUGE), True), ("format", "{:{}}", (1, str(HUGE)), True),
    ("format", "{:{}}", (1, 5), False), ("format", "{0}" * 1000, ("a" * 100_000,), True),
    ("format_map", "{a}" * 1000, ({"a": "a" * 100_000},), True), ("to_bytes", 1, (HUGE, "big"), True),
    ("to_bytes", 1, (8, "big"), False), ("strip", "a", (), False), ("center", object(), (HUGE,), False),
])  # fmt: skip
def test_methods(name: str, owner: Any, values: tuple[Any, ...], expected: bool) -> None:
    assert of_method(name, owner, values, {}) is expected


@pytest.mark.parametrize(("name", "values", "named", "expected"), [
    ("center", ("a", HUGE), {}, True), ("center", ("a",), {}, False), ("indent", ("a\nb", HUGE), {}, True),
    ("indent", ("a\nb", " " * 100_000_000), {}, True), ("indent", ("a\nb",), {"first": True}, False),
    ("join", (["a" * 1_000_000] * 100,), {}, True), ("join", ([1, 2], ", "), {}, False),
    ("join", (({"a": 1},),), {"attribute": "a"}, False), ("format", ("%10000000000d", 1), {}, True),
    ("replace", ("a" * 10_000, "a", "b" * 10_000), {}, True), ("batch", ([1], HUGE, "x"), {}, True),
    ("batch", ([1], HUGE), {}, False), ("round", (3, 10**9, "ceil"), {}, True),
    ("round", (3.1, 2), {}, False), ("sum", ([1, 2],), {}, False),
    ("sum", ([[1] * 1000] * 60_000,), {"start": []}, True), ("sum", ([[1]],), {"start": []}, False),
    ("tojson", ({"a": [1]},), {"indent": 2}, False), ("tojson", ({"a": [1]},), {"indent": HUGE}, True),
    ("tojson", (["a" * 1_000_000] * 100,), {}, True), ("tojson", ([1],), {"separators": (",", ":")}, False),
    ("wordwrap", ("a b",), {"wrapstring": "\n"}, False),
    ("wordwrap", ("a b",), {"wrapstring": "b" * LARGEST_TEXT}, True),
    ("string", (["a" * 1_000_000] * 100,), {}, True), ("upper", ("a",), {}, False),
    ("length", (["a" * 1_000_000] * 100,), {}, False),
])  # fmt: skip
def test_filters(name: str, values: tuple[Any, ...], named: dict[str, Any], expected: bool) -> None:
    assert of_filter(name, values, named) is expected


def test_what_stands_in_a_value_again_and_again_is_looked_at_once() -> None:
    value: Any = ["x"]
    for _ in range(200):
        value = (value, value)
    assert written_length(value) > LARGEST_TEXT
    assert written_length({"a": ["b", 1]}) < 100


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        ("%s", ("a" * 50,)),
        ("%(a)s%(a)s", {"a": "b" * 50}),
        ("%30d", 5),
        ("%.30f", 2.5),
        ("%*d", (40, 5)),
        ("%-8s|%%", "ab"),
    ],
)
def test_a_bound_is_no_less_than_what_is_written_by_percent(pattern: str, values: Any) -> None:
    assert len(pattern % values) <= printf_length(pattern, values)


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        ("{}", ["a" * 50]),
        ("{0}{0}{0}", ["b" * 50]),
        ("{:>30}", ["x"]),
        ("{:{}}", ["x", 40]),
        ("{:{}}", ["x", "40"]),
    ],
)
def test_a_bound_is_no_less_than_what_is_written_by_format(pattern: str, values: list[Any]) -> None:
    assert len(pattern.format(*values)) <= format_length(pattern, values)
