r"""Think-then-answer problems where a line of thinking helps. Synthetic: made by rule, not by people.

Four kinds: who comes first in an order, what day it is after some days, what time it is after some
minutes, who has what. Training and held-out rows share the kinds and how they are thought through; names,
relations, things and all sentences come from tables of their own. Every row asks for the form it teaches:

    Mia is older than Tom. Ben is older than Mia. Who is the youngest? Think in <think></think>, ...
    <think>
    Mia > Tom. Ben > Mia. So Ben > Mia > Tom.
    </think>
    The answer is \boxed{Tom}.

`level` is the kind.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from manus.data.forms.thought_format import render_thought
from manus.data.generators._distinct import distinct_rows
from manus.settings.frozen import Frozen

VERSION = 1
SAMPLE_KINDS = ("messages", "prompt")
REQUEST = "Think in <think></think>, then give the answer in \\boxed{}."
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Kind = Literal["order", "days", "minutes", "owners"]
Puzzle = tuple[str, str, str]  # question, thought, answer


class Settings(Frozen):
    """Which kinds are made, in turn."""

    kinds: tuple[Kind, ...] = Field(("order", "days", "minutes", "owners"), min_length=1, strict=False)
    most_days: int = Field(20, ge=8, le=60, description="The most days that are counted.")


@dataclass(frozen=True, slots=True)
class World:
    """The words of one split. A relation is (more, less, most, least)."""

    names: tuple[str, ...]
    relations: tuple[tuple[str, str, str, str], ...]
    day_questions: tuple[str, ...]
    minute_questions: tuple[str, ...]
    goods: tuple[tuple[str, str, str], ...]
    owning: tuple[str, str, str]


TRAIN = World(
    names=("Mia", "Tom", "Ben", "Anna", "Max", "Lucy", "Paul", "Nina", "Sam", "Kate", "Leo", "Rosa"),
    relations=(
        ("older", "younger", "oldest", "youngest"),
        ("taller", "shorter", "tallest", "shortest"),
        ("faster", "slower", "fastest", "slowest"),
    ),
    day_questions=(
        "Today is {day}. {name}'s birthday is in {n} days. What day is that?",
        "{name} leaves on {day} and comes back {n} days later. On which day is that?",
        "{name}'s course begins on {day}. The test is {n} days later. What day is the test?",
    ),
    minute_questions=(
        "{name}'s bus leaves at {time} and drives {n} minutes. When does it arrive?",
        "{name} starts to cook at {time} and needs {n} minutes. At what time is the meal ready?",
    ),
    goods=(("a cat", "a dog", "a fish"), ("a pen", "a book", "a lamp"), ("tea", "milk", "juice")),
    owning=("have", "does not have", "Who has"),
)
HELD_OUT = World(
    names=("Eva", "Peter", "Laura", "David", "Julia", "Mark", "Helen", "Oscar", "Grace", "Luke"),
    relations=(
        ("stronger", "weaker", "strongest", "weakest"),
        ("richer", "poorer", "richest", "poorest"),
        ("heavier", "lighter", "heaviest", "lightest"),
    ),
    day_questions=(
        "{name} sends a letter on {day}. It takes {n} days. On which day does it come?",
        "It is {day}. {name} sees the doctor in {n} days. Which day will it be?",
    ),
    minute_questions=(
        "{name}'s film begins at {time} and lasts {n} minutes. When is it over?",
        "At {time} {name} goes for a walk of {n} minutes. What time is it at the end?",
    ),
    goods=(("a red hat", "a blue hat", "a green hat"), ("a bike", "a car", "a boat")),
    owning=("own", "does not own", "Who owns"),
)


def rows(count: int, seed: int, held_out: bool, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different problems, the kinds in turn."""
    draw = random.Random(f"thinking:{seed}:{held_out}")
    world = HELD_OUT if held_out else TRAIN

    def row(place: int) -> dict[str, Any]:
        kind = settings.kinds[place % len(settings.kinds)]
        if kind == "days":
            return _row(kind, _days(draw, world, settings.most_days))
        return _row(kind, {"order": _order, "minutes": _minutes, "owners": _owners}[kind](draw, world))

    return distinct_rows(row, count)


def _row(kind: Kind, made: Puzzle) -> dict[str, Any]:
    question, thought, answer = made
    said = render_thought(thought, f"The answer is \\boxed{{{answer}}}.")
    return {
        "messages": [
            {"role": "user", "content": f"{question} {REQUEST}"},
            {"role": "assistant", "content": said},
        ],
        "answer": answer,
        "level": kind,
    }


def _order(draw: random.Random, world: World) -> Puzzle:
    first, second, third = draw.sample(world.names, 3)
    more, less, most, least = draw.choice(world.relations)
    pairs = [(first, second), (second, third)]
    draw.shuffle(pairs)
    clues = [
        f"{a} is {more} than {b}." if draw.random() < 0.5 else f"{b} is {less} than {a}." for a, b in pairs
    ]
    asked, answer = draw.choice([(most, first), (least, third)])
    seen = " ".join(f"{a} > {b}." for a, b in pairs)
    thought = f"{seen} So {first} > {second} > {third}."
    return f"{' '.join(clues)} Who is the {asked}?", thought, answer


def _days(draw: random.Random, world: World, most_days: int) -> Puzzle:
    start, ahead = draw.randrange(7), draw.randint(2, most_days)
    weeks, rest = divmod(ahead, 7)
    question = draw.choice(world.day_questions).format(
        day=DAYS[start], n=ahead, name=draw.choice(world.names)
    )
    passed = [DAYS[(start + step) % 7] for step in range(1, rest + 1)]
    whole = f"{ahead} = {weeks * 7} + {rest}. " if weeks else ""
    counted = f"After {DAYS[start]}: {', '.join(passed)}." if passed else f"Whole weeks: again {DAYS[start]}."
    return question, whole + counted, DAYS[(start + ahead) % 7]


def _minutes(draw: random.Random, world: World) -> Puzzle:
    hour, minute = draw.randint(1, 11), draw.randrange(5, 60, 5)
    lasting = draw.randrange(10, 60, 5)
    question = draw.choice(world.minute_questions).format(
        time=f"{hour}:{minute:02}", n=lasting, name=draw.choice(world.names)
    )
    total = minute + lasting
    thought = f"{minute} + {lasting} = {total}. "
    if total < 60:
        return question, f"{thought}Less than 60, so {hour}:{total:02}.", f"{hour}:{total:02}"
    end = f"{hour + 1}:{total - 60:02}"
    return question, f"{thought}{total} - 60 = {total - 60}, so {end}.", end


def _owners(draw: random.Random, world: World) -> Puzzle:
    names, goods = draw.sample(world.names, 3), list(draw.choice(world.goods))
    draw.shuffle(goods)
    have, has_not, who_has = world.owning
    # One clue leaves the first owner one thing, the next leaves the second owner one of the other two.
    clues = [f"{names[0]} {has_not} {goods[1]} or {goods[2]}.", f"{names[1]} {has_not} {goods[2]}."]
    draw.shuffle(clues)
    people, offered = draw.sample(names, 3), sorted(goods)
    told = (
        f"{people[0]}, {people[1]} and {people[2]} each {have} one thing: "
        f"{', '.join(offered[:2])} or {offered[2]}."
    )
    asked = draw.randrange(3)
    thought = " ".join(f"{name}: {good}." for name, good in zip(names, goods, strict=True))
    return f"{told} {' '.join(clues)} {who_has} {goods[asked]}?", thought, names[asked]
