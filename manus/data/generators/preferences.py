r"""Pairs of worked answers to word problems: one right, one wrong in a single step. Synthetic, made by rule.

The problems are those of the generator `cot`. The worse answer makes a slip that people make: it adds where
it should take away, is off by a little, or stops one step early. It goes on from there as if nothing had
happened, so that only the arithmetic tells the two apart.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

from manus.data.generators import cot

VERSION = 1
SAMPLE_KINDS = ("preference", "messages", "prompt")
Settings = cot.Settings
_STEP = re.compile(r"(\d+) ([-+*]) (\d+) = (\d+)")


def rows(count: int, seed: int, held_out: bool, settings: cot.Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different problems with a right and a wrong answer."""
    draw = random.Random(f"preferences:{seed}:{held_out}")
    for row in cot.rows(count, seed, held_out, settings):
        answer = row["messages"][-1]
        wrong = _wrong(draw, answer["content"])
        yield {**row, "chosen": [answer], "rejected": [{**answer, "content": wrong}]}


def _wrong(draw: random.Random, right: str) -> str:
    """Return the worked answer with one slip, carried on to the end."""
    steps = [(int(a), sign, int(b)) for a, sign, b, _ in _STEP.findall(right)]
    end = _result(steps)
    for _ in range(20):
        slip = draw.choice(("sign", "little", "early") if len(steps) > 1 else ("sign", "little"))
        kept = steps[:-1] if slip == "early" else list(steps)
        worked, total = _with_slip(draw, kept, slip)
        if total != end:
            break
    return f"{'. Then '.join(worked)}. The answer is \\boxed{{{total}}}."


def _with_slip(draw: random.Random, steps: list[tuple[int, str, int]], slip: str) -> tuple[list[str], int]:
    place = draw.randrange(len(steps))
    worked, total = [], steps[0][0]
    for index, (_, sign, other) in enumerate(steps):
        if slip == "sign" and index == place:
            sign = {"+": "-", "-": "+", "*": "+"}[sign]
        before, total = total, _calculated(total, sign, other)
        if slip == "little" and index == place:
            total += draw.choice((-2, -1, 1, 2, 10))
        worked.append(f"{before} {sign} {other} = {total}")
    return worked, total


def _calculated(one: int, sign: str, other: int) -> int:
    return {"+": one + other, "-": one - other, "*": one * other}[sign]


def _result(steps: list[tuple[int, str, int]]) -> int:
    total = steps[0][0]
    for _, sign, other in steps:
        total = _calculated(total, sign, other)
    return total
