"""Every capability trains by every method that the table in docs/RECIPES.md says it can, and by no other."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from manus import capabilities
from manus.data.preparation.choosing import prepare
from manus.data.sample import SampleKind
from manus.errors import RecipeError
from manus.files import read_jsonl
from manus.jobs.rows import reader_of
from manus.models.loading.composition import Trained, compose
from manus.models.omni.layout import MediaLayout
from manus.models.tokenizer import load_tokenizer
from manus.recipe.known import has_senses, shared_kind
from manus.recipe.recipe import CAPABILITIES, GENERATORS, METHODS, Stage, read_recipe
from manus.recipe.suitability import refusal
from manus.training.stage_job import StageJob
from tests.pico import untrained, write_rows
from tests.pico_omni import with_senses

SAMPLES, HELD_OUT = 4, 2
PAIRS = list(product(CAPABILITIES, METHODS))
REFUSED = [pair for pair in product((*CAPABILITIES, *capabilities.PLANNED), METHODS) if refusal(*pair)]
WORKING = [pair for pair in PAIRS if pair not in REFUSED]

# One or two optimizer steps each. The untrained model is never right: only lengths make its rewards differ.
STEP: dict[str, Any] = {
    "batch_size": SAMPLES,
    "epochs": 1,
    "precision": "fp32",
    "learning_rate": 1e-2,
    "warmup": 0,
}
SHORT = {"max_new_tokens": 6}
REWARDS = {
    "rewards": [{"verifier": "capability"}, {"verifier": "length", "options": {"target_characters": 4}}]
}
OWN: dict[str, dict[str, Any]] = {
    "lora": {"rank": 2},
    "qlora": {"rank": 2},
    "dora": {"rank": 2},
    "cpt": {"packing": False},
    "dpo": {"rank": 2},
    "orpo": {"rank": 2},
    "grpo": {**SHORT, **REWARDS, "rank": 2, "batch_size": 8, "group_size": 4},
    "ppo": {**SHORT, **REWARDS, "rank": 2, "rollout_size": SAMPLES, "passes": 2},
    "distillation": {**SHORT, "rank": 2, "on_policy_share": 0.5},
}


SPOKEN = ("podcast", "alignment")  # from rows to the report in tests/unit/jobs/test_speech.py
OF_SCRIPTS = {"podcast": "podcasts"}  # its own makes speech, which one method alone learns


def generator_of(capability: str) -> str:
    return OF_SCRIPTS.get(capability) or CAPABILITIES[capability].GENERATOR or "cot"


def generated(capability: str, count: int) -> list[dict[str, Any]]:
    """Return rows of the capability's own generator, or, if it has none, of any that makes conversations."""
    generator = GENERATORS[generator_of(capability)]
    return list(generator.rows(count, 0, False, generator.Settings()))


def as_pairs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each row with the answer of another one as the worse answer."""
    answers = [row["messages"][-1] for row in rows]
    worse = [
        next(other for other in answers[index:] + answers if other != own)
        for index, own in enumerate(answers)
    ]
    return [
        {**row, "messages": None, "prompt": row["messages"][:-1], "chosen": [own], "rejected": [other]}
        for row, own, other in zip(rows, answers, worse, strict=True)
    ]


def as_texts(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is said in each row as plain text."""
    return [{"text": "\n".join(turn["content"] for turn in row["messages"])} for row in rows]


FORMS: dict[SampleKind, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {
    "preference": as_pairs,
    "text": as_texts,
}


def sources(capability: str, kind: SampleKind, folder: Path) -> list[dict[str, Any]]:
    """Return the data of a recipe: the generator itself, or a file of its rows in the kind's form."""
    if kind not in FORMS:
        return [{"generator": generator_of(capability), "size": SAMPLES}]
    path = write_rows(
        folder / f"{capability}-{kind}.jsonl", FORMS[kind](generated(capability, SAMPLES + HELD_OUT))
    )
    return [{"path": str(path)}]


def stage_of(path: Path, capability: str, **settings: Any) -> Stage:
    """Return the one stage of a recipe."""
    with path.open("w", encoding="utf-8") as file:
        YAML().dump({"base_model": "pico", "capabilities": [{capability: settings}]}, file)
    (stage,) = read_recipe(path).stages
    return stage


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("untrained") / "base")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("untrained") / "teacher", seed=1)


def test_there_are_pairs_of_both_sorts() -> None:
    assert {capability for capability, _ in WORKING} == set(CAPABILITIES)
    assert {method for _, method in WORKING} == set(METHODS) >= set(OWN)
    assert len(WORKING) >= 38
    assert {("thinking", "cpt"), ("tools", "cpt"), ("tri-streaming", "lora")} <= set(REFUSED)
    assert SPOKEN in WORKING


@pytest.fixture(scope="module")
def omni_base(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_senses(base, tmp_path_factory.mktemp("senses"))


@pytest.mark.parametrize(("capability", "method"), [pair for pair in WORKING if pair != SPOKEN])
def test_a_pair_that_works_trains(
    request: pytest.FixtureRequest, teacher: Path, tmp_path: Path, capability: str, method: str
) -> None:
    base: Path = request.getfixturevalue("omni_base" if has_senses(capability) else "base")
    kind = shared_kind(capability, method)
    assert kind is not None
    needed = {"teacher": str(teacher)} if method == "distillation" else {}
    stage = stage_of(
        tmp_path / "r.yaml",
        capability,
        method=method,
        data=sources(capability, kind, tmp_path),
        held_out=HELD_OUT,
        max_length=4096,
        **STEP | OWN.get(method, {}) | needed,
    )
    assert stage.data_kind == kind
    data, staging = tmp_path / "data", tmp_path / "staging"
    for folder in (data, staging):
        folder.mkdir()
    told = prepare(
        stage.sources,
        stage.data,
        reader_of(stage),
        stage.data_kind,
        load_tokenizer(base),
        tmp_path,
        0,
        data,
        tmp_path / "work",
        MediaLayout.of(base) if has_senses(capability) else None,
    )
    assert (told["train_samples"], told["quarantined"]) == (SAMPLES, 0)
    order = StageJob(
        name=stage.name,
        settings=stage.training,
        base=base,
        base_name="pico",
        start=(),
        data=data,
        max_length=4096,
        seed=0,
        work=tmp_path / "work",
        staging=staging,
        capability=capability,
        rewards=stage.rewards,
        teacher=(teacher, ()) if needed else None,
    )
    metrics = METHODS[method].train(order)
    assert metrics["steps"] in (1, 2)
    assert math.isfinite(metrics["last_loss"])
    assert list(read_jsonl(staging / "metrics.jsonl"))
    kind_left = METHODS[method].result(stage.training)
    assert changed(base, Trained(stage.name, kind_left, staging / kind_left)), "nothing was learned"


def changed(base: Path, trained: Trained) -> bool:
    """Tell whether any weight of the model is another one than in the base."""
    import torch

    before, after = (compose(base, chain, torch.float32).state_dict() for chain in ((), (trained,)))
    return any(not torch.equal(value, after[name]) for name, value in before.items() if name in after)


@pytest.mark.parametrize(("capability", "method"), REFUSED)
def test_a_pair_that_does_not_is_refused_with_the_nearest_that_does(
    tmp_path: Path, capability: str, method: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        stage_of(tmp_path / "r.yaml", capability, method=method)
    refused = refusal(capability, method)
    assert refused is not None
    if capability in capabilities.PLANNED:
        assert refused.word == "not built yet"
        assert f"{capability!r} is designed but not built yet; built: cot" in str(caught.value)
        return
    assert f"{capability} cannot be trained by {method}: {refused.reason}" in str(caught.value)
    assert f"nearest to it is {capability} by {refused.nearest}; use method: {refused.nearest}" in str(
        caught.value
    )
    assert refused.nearest is not None
    assert (capability, refused.nearest) in WORKING
