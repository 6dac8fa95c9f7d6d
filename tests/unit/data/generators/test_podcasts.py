"""Rows of podcasts are read by what `manus podcast` reads answers with, and held-out ones are about other things."""

from __future__ import annotations

import itertools
import json
import re
from functools import cache

import pytest

from manus.data.forms.messages import as_messages
from manus.data.forms.podcast_turns import read_outline, read_turn
from manus.data.generators import known_generators, podcasts
from manus.scorers.podcast_scripts import is_supported

COUNT = 600


@cache
def made(held_out: bool, seed: int = 0, count: int = COUNT) -> tuple[dict, ...]:
    return tuple(podcasts.rows(count, seed, held_out, podcasts.Settings()))


def parts(row: dict) -> tuple[str, str, dict[int, str]]:
    asked, answer = (turn["content"] for turn in row["messages"])
    return asked, answer, {int(n): text for n, text in re.findall(r"^\[(\d+)\] (.+)$", asked, re.MULTILINE)}


@pytest.mark.parametrize("held_out", [False, True])
def test_each_answer_is_one_that_the_writer_takes(held_out: bool) -> None:
    numbers = set()
    for row in made(held_out):
        asked, answer, shown = parts(row)
        assert as_messages(row)["messages"]
        if row["level"] == "outline":
            most, headings = map(
                int, re.search(r"the (\d+) sentences .* at most (\d+) headings", asked).groups()
            )
            assert [n for _, found in read_outline(answer, shown, most, headings) for n in found] == list(
                shown
            )
            continue
        about = re.search(r"about sentence \[(\d+)\]", asked)
        number = int(about[1]) if about else 0
        hosts = re.match(r"(\w+) and (\w+) talk", asked).groups()
        text = read_turn(answer, number, hosts)
        assert (row["level"] == "turn") == bool(number)
        assert not number or is_supported(text, [shown[number]])
        said = re.findall(r"^(\w+): ", asked.partition("Said so far:")[2], re.MULTILINE)
        assert not said or asked.rsplit("\n", 1)[1].rstrip(":") != said[-1], "the other host spoke before"
        numbers.add(number)
    assert len(numbers) > 10


def test_a_turn_of_another_sentence_is_not_taken() -> None:
    turns = [row for row in made(False) if row["level"] == "turn"]
    for row in turns[:50]:
        _, answer, shown = parts(row)
        number, text = re.fullmatch(r"\[(\d+)\] (.+)", answer).groups()
        others = [n for n in shown if n != int(number)]
        assert sum(is_supported(text, [shown[n]]) for n in others) < len(others)


def test_sides_share_no_word_of_their_worlds_and_no_prompt() -> None:
    for column in podcasts.World.__slots__:
        train, held_out = (
            set(itertools.chain(getattr(world, column))) for world in (podcasts.TRAIN, podcasts.HELD_OUT)
        )
        assert train and held_out and not train & held_out
    asked = [{parts(row)[0] for seed in (0, 1) for row in made(side, seed)} for side in (False, True)]
    assert not asked[0] & asked[1] and len({parts(row)[0] for row in made(False)}) == COUNT


def test_seeds_give_other_rows_and_counts_the_same_first_rows() -> None:
    assert made(False, 0, 50) == made(False)[:50] != made(False, 1, 50)
    assert json.dumps(made(True)) and "podcasts" in known_generators()
    only = list(podcasts.rows(5, 0, False, podcasts.Settings(kinds=["closing"])))
    assert {row["level"] for row in only} == {"closing"}
