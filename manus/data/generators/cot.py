r"""Worked word problems of two or three steps with small numbers. Synthetic: made by rule, not by people.

Training and held-out rows share the ways to combine steps, and nothing else: names, things, verbs and the
wording of the question come from tables of their own. Every row asks for the steps and the boxed answer:

    Mia has 12 shells. She buys 7 more and loses 4. How many shells does Mia have now? Show the steps ...
    12 + 7 = 19. Then 19 - 4 = 15. The answer is \boxed{15}.

`level` is the number of steps.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from manus.data.generators._distinct import distinct_rows
from manus.settings.frozen import Frozen

VERSION = 1
SAMPLE_KINDS = ("messages", "prompt")
REQUEST = "Show the steps, then the answer in \\boxed{}."


class Settings(Frozen):
    """How large the numbers and how long the problems are."""

    largest_start: int = Field(30, ge=10, le=150, description="The largest number of things at the start.")
    largest_change: int = Field(
        12, ge=3, le=40, description="The largest number that one step adds or takes."
    )
    three_step_share: float = Field(0.35, ge=0, le=1, description="Share of problems with three steps.")


@dataclass(frozen=True, slots=True)
class World:
    """The words of one split."""

    women: tuple[str, ...]
    men: tuple[str, ...]
    things: tuple[str, ...]
    boxes: tuple[str, ...]
    gains: tuple[str, ...]
    losses: tuple[str, ...]
    questions: tuple[str, ...]


TRAIN = World(
    women=("Mia", "Anna", "Emma", "Lucy", "Sara", "Nina", "Kate", "Rosa"),
    men=("Tom", "Ben", "Max", "Paul", "Sam", "Jack", "Leo", "Adam"),
    things=("apples", "books", "coins", "eggs", "pens", "cards", "shells", "stones", "balls", "cookies"),
    boxes=("bags", "boxes", "rows"),
    gains=("buys {} more", "finds {}", "gets {} more", "picks up {}", "borrows {}"),
    losses=("loses {}", "gives away {}", "hides {}", "drops {}", "lends {}"),
    questions=("How many {things} does {name} have now?", "How many {things} does {name} have in the end?"),
)
HELD_OUT = World(
    women=("Eva", "Laura", "Julia", "Helen", "Grace", "Alice"),
    men=("Peter", "David", "Mark", "Henry", "Oscar", "Luke"),
    things=("oranges", "stamps", "toys", "flowers", "pencils", "tickets", "candles", "buttons"),
    boxes=("packs", "baskets", "jars"),
    gains=("wins {}", "collects {} more", "receives {}", "adds {}"),
    losses=("sells {}", "breaks {}", "throws away {}", "gives {} to a friend"),
    questions=("How many {things} are left for {name}?", "What is the number of {things} that {name} has?"),
)

# "*" can only come first: so many boxes of so many things.
TWO_STEPS = ("++", "+-", "-+", "--", "*+", "*-")
THREE_STEPS = ("+-+", "-+-", "*+-", "*-+")


def rows(count: int, seed: int, held_out: bool, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different problems with their worked answers."""
    draw = random.Random(f"cot:{seed}:{held_out}")
    world = HELD_OUT if held_out else TRAIN
    return distinct_rows(lambda _: _row(draw, world, settings), count)


def _row(draw: random.Random, world: World, settings: Settings) -> dict[str, Any]:
    steps = draw.choice(THREE_STEPS if draw.random() < settings.three_step_share else TWO_STEPS)
    name, pronoun = draw.choice([(w, "She") for w in world.women] + [(m, "He") for m in world.men])
    things = draw.choice(world.things)
    if steps[0] == "*":
        many, each = draw.randint(2, 5), draw.randint(2, 9)
        opening = f"{name} has {many} {draw.choice(world.boxes)} of {each} {things}."
        total, worked, changes = many * each, [f"{many} * {each} = {many * each}"], steps[1:]
    else:
        total = draw.randint(settings.largest_start // 3, settings.largest_start)
        opening, worked, changes = f"{name} has {total} {things}.", [], steps
    verbs = {"+": draw.sample(world.gains, 2), "-": draw.sample(world.losses, 2)}
    events = []
    for sign in changes:
        change, before = _change(draw, sign, total, settings), total
        total = before + change if sign == "+" else before - change
        events.append(verbs[sign].pop().format(change))
        worked.append(f"{before} {sign} {change} = {total}")
    told = f"{pronoun} {', '.join(events[:-1])}{' and ' if events[1:] else ''}{events[-1]}."
    question = draw.choice(world.questions).format(name=name, things=things)
    answer = f"{'. Then '.join(worked)}. The answer is \\boxed{{{total}}}."
    return {
        "messages": [
            {"role": "user", "content": f"{opening} {told} {question} {REQUEST}"},
            {"role": "assistant", "content": answer},
        ],
        "answer": str(total),
        "level": str(len(worked)),
    }


def _change(draw: random.Random, sign: str, total: int, settings: Settings) -> int:
    # At least half is left, so that no later step starts from nothing.
    largest = settings.largest_change if sign == "+" else min(settings.largest_change, total // 2)
    return draw.randint(min(2, largest), largest)
