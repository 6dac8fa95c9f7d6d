"""Pairs of the model's own answers, and models that learn from pairs what is preferred."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from manus.capabilities import known_capabilities
from manus.data.prepared.samples import PAIRS, read_arrow
from manus.data.settings import OnPolicySettings
from manus.errors import DataError, Interrupted
from manus.evaluation.intervals import wilson
from manus.guards.requests import REQUESTS
from manus.recipe.fields import RewardModelSettings
from manus.rewards.context import Context
from manus.rewards.judge import Judge
from manus.rewards.settings import RewardSettings
from manus.training.rollouts.on_policy import ANSWERED, make_pairs
from manus.training.stage_job import StageJob
from manus.training.trainers.reward_model import train_reward_model
from tests.integration.stage import job, prepared, rows
from tests.pico import TRIPLES, pairs

cot = known_capabilities()["cot"]

HELD_OUT = 120  # pairs: an accuracy of 0.6 is above chance by more than chance
SETTINGS = OnPolicySettings(samples_per_prompt=8, max_new_tokens=12)


@pytest.fixture(scope="module")
def base(undecided_base: Path) -> Path:
    """A model that answers with any of three digits."""
    return undecided_base


@pytest.fixture(scope="module")
def prompts(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(base, tmp_path_factory.mktemp("data") / "prompts", rows("first", 60), 20, "prompt")


def order(base: Path, data: Path, folder: Path) -> StageJob:
    return job(base, data, folder, "dpo")


@pytest.mark.learns
def test_right_answers_are_paired_with_wrong_ones(base: Path, prompts: Path, tmp_path: Path) -> None:
    told = make_pairs(order(base, prompts, tmp_path), SETTINGS, cot)
    found = [json.loads(line) for line in (tmp_path / "staging" / "pairs.jsonl").read_text().splitlines()]
    assert len(found) == told["pairs"] == len(read_arrow(tmp_path / "staging", PAIRS)) > 10
    assert told["pairs"] + told["all_right"] + told["all_wrong"] == told["prompts"] == 40
    for pair in found:
        digit = pair["prompt"][-1]["content"].split()[2]
        sample: Any = {"messages": [], "answer": digit}
        assert cot.score(sample, pair["chosen"]).correct and not cot.score(sample, pair["rejected"]).correct


def test_what_a_killed_process_wrote_is_taken_over(
    base: Path, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    make_pairs(order(base, prompts, whole), SETTINGS, cot)
    lines = (whole / "work" / ANSWERED).read_text().splitlines(keepends=True)
    (part / "work").mkdir(parents=True)
    (part / "work" / ANSWERED).write_text("".join(lines[:21]) + lines[21][:7])
    make_pairs(order(base, prompts, part), SETTINGS, cot)
    assert (part / "staging" / PAIRS).read_bytes() == (whole / "staging" / PAIRS).read_bytes()


def test_a_signal_stops_between_batches_of_prompts(
    base: Path, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    monkeypatch.setattr(REQUESTS, "stop", signal.SIGTERM)
    with pytest.raises(Interrupted, match="SIGTERM while answering prompts"):
        make_pairs(order(base, prompts, tmp_path), SETTINGS, cot)


def test_answers_that_are_all_alike_are_an_error_with_the_fix(
    pico_base: Path, prompts: Path, tmp_path: Path
) -> None:
    surest = OnPolicySettings(samples_per_prompt=2, max_new_tokens=12, temperature=0.01)
    with pytest.raises(DataError, match="nothing to compare; give easier or harder data"):
        make_pairs(order(pico_base, prompts, tmp_path), surest, cot)


@pytest.mark.learns
@pytest.mark.parametrize("adapter", ["lora", pytest.param("qlora", marks=pytest.mark.exhaustive), "none"])
def test_a_reward_model_learns_what_is_preferred(base: Path, tmp_path: Path, adapter: str) -> None:
    settings = RewardModelSettings(
        adapter=adapter,  # type: ignore[arg-type]
        epochs=20,
        batch_size=32,
        learning_rate=1e-3 if adapter == "none" else 2e-3,
        # At a constant rate it learned nothing from seed 7, and from seed 2 at 5e-3.
        scheduler="cosine",
        warmup=0.1,
        precision="fp32",
    )
    accuracy = {}
    for name in ("right", "shuffled") if adapter == "lora" else ("right",):
        data = prepared(
            base,
            tmp_path / name,
            pairs("first", 800, shuffled=name == "shuffled"),
            HELD_OUT,
            kind="preference",
        )
        held_out = tmp_path / "right" / "held_out.jsonl"
        (data / "held_out.jsonl").write_text(held_out.read_text())
        place = order(base, data, tmp_path / f"{name}-stage")
        told = train_reward_model(
            StageJob(
                **{f: getattr(place, f) for f in place.__slots__} | {"settings": settings, "name": "judge"}
            )
        )
        accuracy[name] = told["accuracy"]
    low, _ = wilson(round(HELD_OUT * accuracy["right"]), HELD_OUT)
    assert low > 0.5, f"it must be better than chance by more than chance: {accuracy}"
    assert low > accuracy.get("shuffled", 0.5), f"and learn from what is preferred: {accuracy}"
    if (
        adapter == "qlora"
    ):  # it learns less of the toy task in 4 bits: enough to rank pairs, not to be sure of each
        return
    scorer = RewardSettings(verifier="reward-model", options={"model": "judge"})
    context = Context("cot", tmp_path, {"judge": tmp_path / "right-stage" / "staging" / "model"})
    asked = [triple for triple in TRIPLES[:: len(TRIPLES) // 60] if triple[0] != triple[2]]
    samples: Any = [
        {
            "messages": [
                {"role": "user", "content": f"first of {' '.join(map(str, triple))}"},
                {"role": "assistant", "content": ""},
            ]
        }
        for triple in asked
    ]
    with Judge([scorer], context) as judge, torch.no_grad():
        right, wrong = (
            judge.score(samples, [f"The answer is \\boxed{{{triple[place]}}}." for triple in asked]).total
            for place in (0, 2)
        )
    wins = sum(one > other for one, other in zip(right, wrong, strict=True))
    assert wilson(wins, len(asked))[0] > 0.5, f"as a reward it prefers right answers: {wins} of {len(asked)}"
