"""An answer is taken apart into thought, words and calls alike, however it is cut into tokens."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from manus.serving.server.pieces import Piece, Splitter

CALL = '<tool_call>\n{"name":"f","arguments":{"a":1}}\n</tool_call>'
OTHER = '<tool_call>\n{"name":"g","arguments":{"s":"</tool_call>"}}\n</tool_call>'


def said(text: str, cuts: int = 0, **how: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    """Return thought, words and calls of a text that comes in pieces of random lengths."""
    splitter, draw, pieces = Splitter(**how), random.Random(cuts), list[Piece]()
    while text:
        size = draw.randint(1, 5) if cuts else len(text)
        pieces += splitter.add(text[:size])
        text = text[size:]
    pieces += splitter.end()
    return (
        "".join(piece.text for piece in pieces if piece.kind == "thought"),
        "".join(piece.text for piece in pieces if piece.kind == "words"),
        [(piece.name, json.loads(piece.text)) for piece in pieces if piece.kind == "call"],
    )


@pytest.mark.parametrize("cuts", range(12))
@pytest.mark.parametrize(
    ("text", "how", "wanted"),
    [
        ("Hello <b>.\n", {}, ("", "Hello <b>.\n", [])),
        ("<think>\nAh. \n\nSo.\n</think>\n\nYes.", {}, ("Ah. \n\nSo.", "Yes.", [])),
        ("Ah.</think>Yes.", {"opens_thought": True}, ("Ah.", "Yes.", [])),
        ("<think>never ends </thin", {}, ("never ends </thin", "", [])),
        ("a <think>b</think>", {}, ("", "a <think>b</think>", [])),
        (CALL, {"may_call": True}, ("", "", [("f", {"a": 1})])),
        (CALL, {}, ("", CALL, [])),
        (
            f"I will.\n{CALL}\n{OTHER}",
            {"may_call": True},
            ("", "I will.", [("f", {"a": 1}), ("g", {"s": "</tool_call>"})]),
        ),
        (f"<think>x</think>\n{CALL}", {"may_call": True}, ("x", "", [("f", {"a": 1})])),
        ('{"name": "f", "arguments": {"a": 1}}', {"may_call": True}, ("", "", [("f", {"a": 1})])),
        ('{"name": 5}', {"may_call": True}, ("", '{"name": 5}', [])),
        (
            "<tool_call>\n{broken\n</tool_call>",
            {"may_call": True},
            ("", "<tool_call>\n{broken\n</tool_call>", []),
        ),
        ('[TOOL_CALLS]f[ARGS]{"a": 1}', {"may_call": True}, ("", "", [("f", {"a": 1})])),
        ("one STOP two", {"stops": ["STOP"]}, ("", "one ", [])),
        ("one STO", {"stops": ["STOP"]}, ("", "one STO", [])),
        ("<think>STOP</think>a STOP", {"stops": ["STOP"]}, ("STOP", "a ", [])),
        ("{1} STOP x", {"stops": ["STOP"], "may_call": True}, ("", "{1} ", [])),
        ("<think>x</think>y", {"is_plain": True}, ("", "<think>x</think>y", [])),
        ("   ", {"is_plain": True}, ("", "   ", [])),
    ],
)
def test_an_answer_is_taken_apart(text: str, how: dict[str, Any], wanted: object, cuts: int) -> None:
    assert said(text, cuts, **how) == wanted


def test_nothing_is_told_behind_a_stop() -> None:
    splitter = Splitter(stops=["b"])
    assert [piece.text for piece in splitter.add("abc")] == ["a"] and splitter.is_stopped
    assert splitter.add("d") == splitter.end() == []


def test_a_call_is_told_as_soon_as_it_is_whole() -> None:
    splitter = Splitter(may_call=True)
    assert [piece.name for piece in splitter.add(f"{CALL}\n<tool_call>")] == ["f"]
    assert splitter.has_called
