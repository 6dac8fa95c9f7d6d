"""Calls over typed functions, two offered at a time, or none that fits. Synthetic: made by rule.

Arguments are strings, integers, numbers, booleans, choices and lists. The held-out functions have other
names, arguments and domains than the training ones: what must be learned is to copy from the schema that is
offered. In a share of the rows neither function does what the user asks; then the answer says so.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from manus.data.forms.tool_format import NO_FUNCTION_FITS
from manus.data.generators._distinct import distinct_rows
from manus.data.generators._functions import HELD_OUT, TRAIN, Function
from manus.settings.frozen import Frozen

VERSION = 1
SAMPLE_KINDS = ("messages", "prompt")


class Settings(Frozen):
    """How often nothing fits, and how often two calls are needed."""

    no_fit_share: float = Field(0.2, ge=0, le=1, description="Share of rows where no offered function fits.")
    two_calls_share: float = Field(
        0.08, ge=0, le=1, description="Share of the others that need both functions."
    )


def rows(count: int, seed: int, held_out: bool, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different requests with the functions offered and the calls that answer them."""
    draw = random.Random(f"tools:{seed}:{held_out}")
    functions = HELD_OUT if held_out else TRAIN

    def row(place: int) -> dict[str, Any]:
        # The place decides the kind: drawn anew after each repetition, the kinds with more variety would win.
        kinds = random.Random(f"tools:{seed}:{held_out}:{place}")
        return _row(
            draw, functions, kinds.random() < settings.no_fit_share, kinds.random() < settings.two_calls_share
        )

    return distinct_rows(row, count)


def _row(
    draw: random.Random, functions: Sequence[Function], fits_not: bool, needs_two: bool
) -> dict[str, Any]:
    asked, *others = draw.sample(functions, 3)
    if fits_not:
        request, _ = _request(draw, asked)
        return _labelled(request, others, [])
    offered = [asked, others[0]]
    request, calls = _request(draw, asked)
    if needs_two:
        second, more = _request(draw, others[0])
        request, calls = f"{request} {second}", calls + more
    draw.shuffle(offered)
    return _labelled(request, offered, calls)


def _request(draw: random.Random, function: Function) -> tuple[str, list[dict[str, Any]]]:
    sentence = draw.choice(function.requests)
    slots = {name: draw.choice(argument.values) for name, argument in function.arguments.items()}
    used = {name: value for name, (value, _) in slots.items() if f"{{{name}}}" in sentence}
    request = sentence.format(**{name: words for name, (_, words) in slots.items()})
    return request[0].upper() + request[1:], [{"name": function.name, "arguments": used}]


def _labelled(request: str, offered: Sequence[Function], calls: list[dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {"role": "assistant", "content": None if calls else NO_FUNCTION_FITS}
    if calls:
        answer["tool_calls"] = [{"type": "function", "function": call} for call in calls]
    return {
        "messages": [{"role": "user", "content": request}, answer],
        "tools": [_schema(function) for function in offered],
        "calls": calls,
        "level": {0: "no call", 1: "one call"}.get(len(calls), "several calls"),
    }


def _schema(function: Function) -> dict[str, Any]:
    # An argument that every request names is required.
    slots = [set(re.findall(r"\{(\w+)\}", request)) for request in function.requests]
    required = [name for name in function.arguments if all(name in found for found in slots)]
    properties = {name: dict(argument.schema) for name, argument in function.arguments.items()}
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": function.name, "parameters": parameters}}
