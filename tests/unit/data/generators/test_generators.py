"""Generated rows are the same for the same seed, never repeat, keep training apart from the held-out rows,
and are what their capability's verifier accepts."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import subprocess
import sys
from functools import cache

import pytest

from manus.capabilities import cot as capability_cot
from manus.capabilities import known_capabilities
from manus.data.forms.messages import as_messages
from manus.data.forms.pairs import read_pair
from manus.data.forms.thought_format import split_thought
from manus.data.generators import _functions, cot, known_generators, reasoning, thinking
from manus.errors import DataError

CAPABILITY = {"preferences": "cot"}  # the others bear their capability's name
OF_MEDIA = {"emoji", "moving-scenes", "scenes", "spoken"}  # tests/unit/data/generators/test_worlds.py
GENERATORS = known_generators()
OF_SPEECH = {"podcasts", "read-aloud"}  # test_podcasts.py and test_read_aloud.py beside this
NAMES = sorted(set(GENERATORS) - OF_MEDIA - OF_SPEECH)
COUNT = 1000
# Measured with SmolLM2's tokenizer, whose loading takes too long for a test.
CHARACTERS_PER_TOKEN = {"cot": 2.5, "preferences": 2.5, "reasoning": 3.3, "thinking": 2.9, "tools": 3.0}
MEAN_TOKENS = {"cot": 85, "preferences": 85, "reasoning": 60, "thinking": 90, "tools": 160}


@cache
def made(name: str, held_out: bool, seed: int = 0, count: int = COUNT) -> tuple[dict, ...]:
    module = importlib.import_module(f"manus.data.generators.{name}")
    return tuple(module.rows(count, seed, held_out, module.Settings()))


def asked(row: dict) -> str:
    return json.dumps([row["messages"][:-1], row.get("tools")])


def test_there_is_a_generator_for_every_capability():
    assert NAMES == ["cot", "preferences", "reasoning", "thinking", "tools"] and set(GENERATORS) > OF_MEDIA
    capabilities = known_capabilities()
    assert {capability.GENERATOR for capability in capabilities.values()} >= set(GENERATORS) - {
        "preferences",
        "emoji",
        "podcasts",
    }


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_no_prompt_comes_twice(name, held_out):
    rows = made(name, held_out)
    assert len(rows) == COUNT == len({asked(row) for row in rows})


@pytest.mark.parametrize("name", NAMES)
def test_training_and_held_out_prompts_never_meet_under_any_seed(name):
    train = {asked(row) for seed in (0, 1) for row in made(name, False, seed)}
    held_out = {asked(row) for seed in (0, 1) for row in made(name, True, seed)}
    assert not train & held_out


@pytest.mark.parametrize("name", NAMES)
def test_seeds_give_other_rows_and_counts_the_same_first_rows(name):
    assert made(name, False, 0)[:50] == made(name, False, 0, 50)
    assert made(name, False, 0)[:50] != made(name, False, 1)[:50]


DIGEST = """
import hashlib, importlib, json
for name in %r:
    module = importlib.import_module(f"manus.data.generators.{name}")
    rows = [list(module.rows(100, 7, held_out, module.Settings())) for held_out in (False, True)]
    print(name, hashlib.sha256(json.dumps(rows).encode()).hexdigest())
"""


def test_rows_do_not_depend_on_the_hash_seed_of_the_process():
    def digests(hash_seed: str) -> list[str]:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", DIGEST % NAMES]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout.split()

    first = digests("1")
    assert len(first) == 2 * len(NAMES)
    assert first == digests("2")


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_verifier_accepts_each_answer_and_refuses_another_samples(name, held_out):
    capability = importlib.import_module(f"manus.capabilities.{CAPABILITY.get(name, name)}")
    samples = [capability.read(row) for row in made(name, held_out)]
    said = [sample["messages"][-1]["content"] for sample in samples]
    assert all(capability.can_score(sample) for sample in samples)
    wrong = [s for s, text in zip(samples, said, strict=True) if not capability.score(s, text).correct]
    assert not wrong
    shuffled = said[1:] + said[:1]
    lucky = sum(capability.score(s, text).correct for s, text in zip(samples, shuffled, strict=True))
    assert lucky < 0.15 * COUNT


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_short_enough_for_a_small_model(name):
    rows = [*made(name, False), *made(name, True)]
    capability = importlib.import_module(f"manus.capabilities.{CAPABILITY.get(name, name)}")
    samples = [capability.read(row)["messages"] for row in rows]
    tokens = [sum(len(m["content"]) for m in messages) / CHARACTERS_PER_TOKEN[name] for messages in samples]
    assert sum(tokens) / len(tokens) < MEAN_TOKENS[name]
    assert max(tokens) < 4 * MEAN_TOKENS[name]


def words_of(world: object) -> set[str]:
    """Return every name, thing and sentence of a table."""
    words: set[str] = set()
    for column in (getattr(world, name) for name in world.__slots__):
        flat = itertools.chain.from_iterable(item if isinstance(item, tuple) else (item,) for item in column)
        words |= set(flat)
    return words


@pytest.mark.parametrize("module", [cot, thinking])
def test_templates_are_disjoint(module):
    train, held_out = words_of(module.TRAIN), words_of(module.HELD_OUT)
    assert train and held_out
    assert not train & held_out


def test_functions_are_disjoint():
    train, held_out = _functions.TRAIN, _functions.HELD_OUT
    assert not {f.name for f in train} & {f.name for f in held_out}
    assert not {r for f in train for r in f.requests} & {r for f in held_out for r in f.requests}
    assert not {a for f in train for a in f.arguments} & {a for f in held_out for a in f.arguments}


def test_cot_steps_are_true_and_numbers_small():
    for row in [*made("cot", False), *made("cot", True)]:
        worked = row["messages"][-1]["content"].partition(" The answer is")[0].replace("Then ", "")
        steps = [step.split(" = ") for step in worked.rstrip(".").split(". ")]
        assert len(steps) == int(row["level"]) and row["level"] in ("2", "3")
        for left, right in steps:
            first, sign, second = left.split()
            result = {
                "+": int(first) + int(second),
                "-": int(first) - int(second),
                "*": int(first) * int(second),
            }[sign]
            assert result == int(right) and 0 < result < 200
        assert steps[-1][1] == row["answer"]


def test_thinking_rows_think_and_their_orders_are_true():
    rows = [*made("thinking", False), *made("thinking", True)]
    assert {row["level"] for row in rows} == {"order", "days", "minutes", "owners"}
    for row in rows:
        thought, answer = split_thought(row["messages"][-1]["content"]) or ("", "")
        assert row["answer"] in thought and row["answer"] in answer
    orders = [row for row in rows if row["level"] == "order"]
    for row in orders[:100]:
        chain = row["messages"][-1]["content"].partition("So ")[2].partition(".")[0].split(" > ")
        assert row["answer"] in (chain[0], chain[-1])
        clues = row["messages"][0]["content"].split(". ")[:2]
        for clue in clues:
            left, right = clue.split()[0], clue.split()[-1].rstrip(".")
            assert abs(chain.index(left) - chain.index(right)) == 1


def of_kind(kind: str) -> list[tuple[str, str]]:
    """Return question and answer of the thinking rows of one kind, of both sides."""
    rows = [*made("thinking", False), *made("thinking", True)]
    return [(row["messages"][0]["content"], row["answer"]) for row in rows if row["level"] == kind]


def test_days_and_times_are_counted_rightly():
    for question, answer in of_kind("days"):
        day = next(day for day in thinking.DAYS if day in question)
        ahead = int(re.search(r"(\d+) days", question)[1])
        assert thinking.DAYS[(thinking.DAYS.index(day) + ahead) % 7] == answer
    for question, answer in of_kind("minutes"):
        hour, minute, lasting = map(int, re.search(r"(\d+):(\d+).*?(\d+) minutes", question).groups())
        end = 60 * hour + minute + lasting
        assert f"{end // 60}:{end % 60:02}" == answer


def test_owners_follow_from_the_clues_alone():
    for question, answer in of_kind("owners"):
        told, *clues = question.split(". ")[:3]
        people, goods = (
            re.split(r", | and | or ", part) for part in re.split(r" each \w+ one thing: ", told)
        )
        denied = {(clue.split()[0], good) for clue in clues for good in goods if good in clue}
        asked = next(good for good in goods if f"{good}?" in question)
        possible = [
            dict(zip(people, order, strict=True))
            for order in itertools.permutations(goods)
            if not denied & set(zip(people, order, strict=True))
        ]
        assert len(denied) == 3 and len(possible) == 1
        assert possible[0][answer] == asked


@pytest.mark.parametrize("held_out", [False, True])
def test_tools_rows_offer_two_functions_and_fit_their_schemas(held_out):
    rows = made("tools", held_out)
    kinds = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list}
    seen_types = set()
    for row in rows:
        offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in row["tools"]}
        assert len(offered) == 2
        assert as_messages(row)["tools"] == [tool["function"] for tool in row["tools"]]
        for call in row["calls"]:
            properties, required = (offered[call["name"]][key] for key in ("properties", "required"))
            assert set(required) <= set(call["arguments"]) <= set(properties)
            for name, value in call["arguments"].items():
                assert type(value) is kinds[properties[name]["type"]]
                assert value in properties[name].get("enum", [value])
                seen_types |= {properties[name]["type"], *(["enum"] if "enum" in properties[name] else [])}
    assert seen_types == {*kinds, "enum"}
    none = sum(not row["calls"] for row in rows)
    assert 0.15 * COUNT < none < 0.25 * COUNT


def test_no_function_fits_where_the_answer_says_so():
    asked_for = {request: f.name for f in _functions.TRAIN for request in f.requests}
    starts = {request.partition("{")[0]: name for request, name in asked_for.items()}
    checked = 0
    for row in made("tools", False):
        request = row["messages"][0]["content"]
        names = {name for start, name in starts.items() if len(start) > 8 and request.startswith(start)}
        if len(names) == 1 and not row["calls"]:
            checked += 1
            assert not names & {tool["function"]["name"] for tool in row["tools"]}
    assert checked > 50


def test_reasoning_rows_satisfy_the_scorer_of_reasoning_gym():
    import reasoning_gym

    rows = [*made("reasoning", False)[:300], *made("reasoning", True)[:300]]
    assert {row["level"] for row in rows} == {"1", "2", "3"}
    scorers = {task: reasoning_gym.get_score_answer_fn(task) for task in {row["task"] for row in rows}}
    for row in rows:
        assert scorers[row["task"]](row["answer"], json.loads(row["entry"])) == 1.0


def test_unseen_tasks_are_held_out_only():
    settings = reasoning.Settings()
    train, held_out = ({row["task"] for row in made("reasoning", side)} for side in (False, True))
    assert train == set(settings.tasks)
    assert held_out == {*settings.tasks, *settings.unseen_tasks}


def test_unknown_tasks_and_too_many_rows_are_said_in_words():
    with pytest.raises(DataError, match=r"no task 'chain_sums'.*did you mean 'chain_sum'"):
        list(reasoning.rows(1, 0, False, reasoning.Settings(tasks=("chain_sums",))))
    with pytest.raises(DataError, match=r"only .* different rows, not 5000"):
        list(reasoning.rows(5000, 0, False, reasoning.Settings(tasks=("chain_sum",), levels=(1,))))


def test_settings_take_lists_as_yaml_gives_them():
    assert thinking.Settings(kinds=["days"]).kinds == ("days",)
    assert {row["level"] for row in thinking.rows(20, 0, False, thinking.Settings(kinds=["days"]))} == {
        "days"
    }
    with pytest.raises(ValueError, match="kinds"):
        thinking.Settings(kinds=["weeks"])


def test_the_digest_decides_the_side_evenly():
    sides = [reasoning._is_held_out(str(number)) for number in range(3000)]
    assert 0.28 < sum(sides) / 3000 < 0.39


@pytest.mark.parametrize("held_out", [False, True])
def test_the_worse_answer_of_a_pair_is_wrong_and_looks_like_the_better_one(held_out):
    for row in made("preferences", held_out):
        sample = read_pair(row, capability_cot.read)
        assert capability_cot.score(sample, sample["messages"][-1]["content"]).correct
        assert not capability_cot.score(sample, sample["rejected"]).correct
        assert re.fullmatch(
            r"(-?\d+ [-+*] \d+ = -?\d+\. (Then )?)+The answer is \\boxed\{-?\d+\}\.", sample["rejected"]
        )
