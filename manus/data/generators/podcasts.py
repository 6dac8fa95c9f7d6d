"""Turns and outlines of podcasts about small articles. Synthetic: articles, names and talk are made by rule.

Each row asks as `manus podcast` asks (`manus.data.forms.podcast_turns`): an article's numbered sentences, the hosts'
names and what was said so far lead to the next turn, which begins with the number of the sentence it rests on:

    [3] And by 1912 the ferry at Lindow carried 40 carts a day, didn't it?

`level` is the part: `outline`, `opening`, `turn`, `closing`. Held-out articles are about other things, in other
places, by other people, with other facts and sentences; the hosts have other names. The ways in which a turn takes
up a sentence are shared, since they are what is learned.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from manus.data.forms.podcast_turns import NOTHING, Part, outline_asked, turn_answered, turn_asked
from manus.data.generators._distinct import distinct_rows
from manus.settings.frozen import Frozen

VERSION = 1
SAMPLE_KINDS = ("messages",)
REMEMBERED_TURNS = 2

Kind = Literal["outline", "opening", "turn", "closing"]


class Settings(Frozen):
    """Which parts are asked for, and how long an article is."""

    kinds: Annotated[tuple[Kind, ...], Field(strict=False)] = Field(
        ("turn", "outline", "turn", "opening", "turn", "closing"), min_length=1, description="Parts, in turn."
    )
    most_sentences: int = Field(5, ge=3, le=6, description="The most sentences of an article.")


@dataclass(frozen=True, slots=True)
class World:
    """What one side's articles are made of. A fact is a heading, a sentence without its full stop, and a short form."""

    hosts: tuple[str, ...]
    things: tuple[str, ...]
    places: tuple[str, ...]
    people: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


TRAIN = World(
    hosts=("Ada", "Ben", "Clara", "Dan", "Emma", "Finn", "Hanna", "Ivo"),
    things=(
        "ferry",
        "mill",
        "library",
        "bakery",
        "lighthouse",
        "market",
        "railway",
        "orchard",
        "theatre",
        "school",
    ),
    places=("Lindow", "Marsby", "Oakham", "Tarn", "Velden", "Rosport", "Kirkby", "Almar"),
    people=("Anna Berg", "Paul Stone", "Rosa Klein", "Tom Hale", "Lucy Frost", "Max Winter"),
    facts=(
        ("The beginning", "the {thing} of {place} was built in {year}"),
        ("The beginning", "{person} founded the {thing} of {place} in {year}"),
        ("The years of work", "every day the {thing} served {number} people from {place}"),
        ("The years of work", "{number} workers repaired the {thing} after the winter"),
        ("The flood", "a flood in {year} damaged the {thing} and {number} houses"),
        ("The flood", "{person} saved the {thing} from the water"),
        ("Today", "since {year} the {thing} has belonged to the town of {place}"),
        ("Today", "now {number} visitors come to the {thing} every summer"),
    ),
)
HELD_OUT = World(
    hosts=("Greta", "Hugo", "Iris", "Jonas", "Karla", "Lars"),
    things=("bridge", "museum", "harbour", "brewery", "windmill", "observatory", "garden"),
    places=("Brenholm", "Castor", "Dunwick", "Ellmau", "Farsund"),
    people=("Eva Lindt", "Oscar Wood", "Grace Holm", "Mark Adler", "Helen Voss"),
    facts=(
        ("The plan", "{person} drew the first plan of the {thing} in {year}"),
        ("The plan", "the council of {place} paid {number} crowns for the {thing}"),
        ("The fire", "in {year} lightning set the {thing} on fire"),
        ("The fire", "{number} neighbours carried buckets until the {thing} was safe"),
        ("The return", "{person} opened the {thing} again in {year}"),
        ("The return", "about {number} children visit the {thing} in {place} each week"),
    ),
)
ASKING = (
    "And {fact}, is that right?",
    "So {fact}? I did not know that.",
    "Tell me, is it true that {fact}?",
    "Wait, {fact}?",
    "Did I read that {fact}?",
)
TELLING = (
    "Yes, {fact}.",
    "What I like is this: {fact}.",
    "The text says that {fact}.",
    "Here is something else: {fact}.",
    "And then, {fact}.",
    "It goes on: {fact}.",
)
OPENING = (
    "Welcome! I am {host}, with me is {other}, and today we talk about the {thing} of {place}.",
    "Hello and welcome. {other} and I, {host}, talk about the {thing} of {place} today.",
    "Good to have you here. This is {host} with {other}, and our subject is the {thing} of {place}.",
)
CLOSING = (
    "That was the story of the {thing} of {place}. Thank you, {other}, and goodbye to all of you.",
    "So much for the {thing} of {place}. Thanks for listening, goodbye from {other} and from me.",
    "And with that we leave {place} and its {thing}. Until next time, goodbye.",
)


def rows(count: int, seed: int, held_out: bool, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different requests and answers, the parts in turn."""
    draw = random.Random(f"podcasts:{seed}:{held_out}")
    world = HELD_OUT if held_out else TRAIN

    def row(place: int) -> dict[str, Any]:
        kind = settings.kinds[place % len(settings.kinds)]
        article = _article(draw, world, settings.most_sentences)
        asked, answer = _outline(draw, article) if kind == "outline" else _turn(draw, world, article, kind)
        return {
            "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}],
            "level": kind,
        }

    return distinct_rows(row, count)


@dataclass(frozen=True, slots=True)
class _Article:
    """Facts in order, with their headings, about one thing in one place."""

    thing: str
    place: str
    headings: tuple[str, ...]
    facts: tuple[str, ...]
    first: int  # the number of the first sentence that is shown, as if others stood before it

    @property
    def numbered(self) -> dict[int, str]:
        """The sentences by number."""
        return {self.first + n: f"{fact[0].upper()}{fact[1:]}." for n, fact in enumerate(self.facts)}


def _article(draw: random.Random, world: World, most: int) -> _Article:
    count = draw.randint(3, min(most, len(world.facts)))
    chosen = sorted(draw.sample(range(len(world.facts)), count))
    thing, place = draw.choice(world.things), draw.choice(world.places)
    facts = [
        world.facts[n][1].format(
            thing=thing,
            place=place,
            person=draw.choice(world.people),
            year=draw.randint(1700, 1990),
            number=draw.randint(12, 980),
        )
        for n in chosen
    ]
    return _Article(
        thing, place, tuple(world.facts[n][0] for n in chosen), tuple(facts), draw.choice((1, 1, 4, 9, 17))
    )


def _outline(draw: random.Random, article: _Article) -> tuple[str, str]:
    """Return a request for an outline of all sentences, and the one under the facts' own headings."""
    numbers: dict[str, list[str]] = {}
    for heading, number in zip(article.headings, article.numbered, strict=True):
        numbers.setdefault(heading, []).append(str(number))
    asked = outline_asked(article.numbered, len(article.facts), len(numbers) + draw.randint(0, 1), None)
    return asked, "\n".join(f"{heading}: {', '.join(found)}" for heading, found in numbers.items())


def _turn(draw: random.Random, world: World, article: _Article, kind: Part) -> tuple[str, str]:
    """Return a request for a turn, after what was said before it, and the turn."""
    host, other = draw.sample(world.hosts, 2)
    words = {"host": host, "other": other, "thing": article.thing, "place": article.place}
    numbers = list(article.numbered)
    ways = {number: draw.choice(ASKING if draw.random() < 0.4 else TELLING) for number in numbers}
    talk = [ways[number].format(fact=fact) for number, fact in zip(numbers, article.facts, strict=True)]
    names = {"host": other, "other": host, "thing": article.thing, "place": article.place}
    before = [draw.choice(OPENING).format(**names), *talk]
    if kind == "opening":
        place, number, text = 0, NOTHING, draw.choice(OPENING).format(**words)
    elif kind == "closing":
        place, number, text = len(before), NOTHING, draw.choice(CLOSING).format(**words)
    else:
        at = draw.randrange(len(numbers))
        place, number, text = at + 1, numbers[at], talk[at]
    said = before[max(0, place - REMEMBERED_TURNS) : place]
    # The one before is always the other host's.
    speakers = [(other, host)[(len(said) - 1 - n) % 2] for n in range(len(said))]
    asked = turn_asked(
        kind,
        sorted((host, other)),
        host,
        article.numbered,
        number,
        list(zip(speakers, said, strict=True)),
        len(text.split()),
        None,
    )
    return asked, turn_answered(number, text)
