"""Instruct takes any conversation and verifies none; what it measures counts the answers' tokens alone."""

from __future__ import annotations

import math

import pytest
import torch

from manus.capabilities import known_capabilities
from manus.data.sample import RowError
from manus.data.tokens.rendering import render
from manus.evaluation.answers import foresee_answers, learned_of
from manus.evaluation.gate_settings import GateSettings
from manus.evaluation.gates import judge_all
from manus.evaluation.intervals import paired_bootstrap
from manus.evaluation.probes import ANSWERS_SHOWN, Probe, gain, is_measurable, measure
from manus.scorers.metrics import ANSWER_NATS, is_share
from tests.pico import tokenizer, untrained

cot, instruct, omni = (known_capabilities()[name] for name in ("cot", "instruct", "omni"))


def chat(question, *said):
    turns = [{"role": "user", "content": question}]
    for answer in said:
        turns += [{"role": "assistant", "content": answer}, {"role": "user", "content": "and then?"}]
    return {"messages": turns[:-1]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from manus.models.loading.composition import load_model

    return load_model(untrained(tmp_path_factory.mktemp("untrained") / "base"), torch.float32).eval()


@pytest.mark.parametrize(
    ("row", "asked", "said"),
    [
        (
            {"instruction": "Who are you?", "input": "", "output": "I am Manus."},
            "Who are you?",
            "I am Manus.",
        ),
        ({"prompt": "Hi", "completion": "Hello."}, "Hi", "Hello."),
        ({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]}, "Hi", "Ho"),
        (chat("one", "two", "three"), "one", "three"),
    ],
)
def test_any_conversation_is_read_and_none_is_verified(row, asked, said):
    sample = instruct.read(row)
    assert (sample["messages"][0]["content"], sample["messages"][-1]["content"]) == (asked, said)
    assert not instruct.can_score(sample) and "answer" not in sample
    with pytest.raises(AssertionError, match="verifies no answer"):
        instruct.score(sample, said)


def test_a_row_without_an_answer_is_refused():
    with pytest.raises(RowError, match="without an answer"):
        instruct.read({"instruction": "Who are you?"})


def test_the_measure_is_the_mean_loss_of_the_learned_tokens(model):
    tokens = tokenizer()
    samples = [instruct.read(chat("one", "two three", "four")), instruct.read(chat("five", "six"))]
    found = foresee_answers(model, tokens, samples, 64, "test")
    for sample, (nats, count) in zip(samples, found, strict=True):
        told = render(tokens, sample)
        ids = torch.tensor([told.ids])
        with torch.no_grad():
            odds = model(ids).logits[0].log_softmax(-1)
        own = [
            -odds[place - 1, told.ids[place]].item()
            for place, learned in enumerate(told.is_learned)
            if learned
        ]
        assert count == len(own) and nats == pytest.approx(sum(own) / count, abs=1e-5)
    result = measure(
        Probe("s", instruct, instruct.Settings(max_new_tokens=4), samples, 64), model, tokens, "test"
    )
    (one, a), (two, b) = found
    assert result["value"] == pytest.approx((one * a + two * b) / (a + b)) and result["weights"] == [a, b]
    assert result["low"] <= result["value"] <= result["high"]
    assert len(result["said"]) == 2 and "nats per token" in result["said"][0]["note"]


def test_what_training_leaves_out_counts_nothing(model):
    tokens = tokenizer()
    long, short = instruct.read(chat("word " * 60, "late")), instruct.read(chat("one", "two"))
    assert learned_of(tokens, long, 16)[0].is_learned.count(True) == 0
    probe = Probe("s", instruct, instruct.Settings(max_new_tokens=4), [long, short], 16)
    result = measure(probe, model, tokens, "test")
    assert result["weights"][0] == 0 and result["value"] == result["values"][1]
    assert "not counted" in result["said"][0]["note"] and math.isfinite(result["low"])
    assert paired_bootstrap([0.0, 0.0], [9.0, 1.0], [0, 5]) == (1.0, 1.0)


def test_only_some_questions_are_answered_and_all_are_measured(model):
    samples = [instruct.read(chat(f"{number}", "ja")) for number in range(ANSWERS_SHOWN + 5)]
    probe = Probe("s", instruct, instruct.Settings(max_new_tokens=2), samples, 64)
    result = measure(probe, model, tokenizer(), "test")
    assert len(result["values"]) == result["samples"] == len(samples) and len(result["said"]) == ANSWERS_SHOWN


def test_it_is_the_fallback_of_imitation_without_verifiable_answers():
    told, verifiable = (
        cot.read(chat("Who are you?", "I am Manus.")),
        cot.read(chat("2+2?", "It is \\boxed{4}.")),
    )
    assert Probe("s", cot, cot.Settings(), [told], 64).metric == ANSWER_NATS
    assert Probe("s", cot, cot.Settings(), [told, verifiable], 64).metric == "accuracy"
    assert is_measurable(cot, [told]) and not is_measurable(cot, [told], has_answers=False)
    assert not is_measurable(omni, [told]) and not is_share(ANSWER_NATS)


def test_a_gain_is_in_nats_saved_and_gates_hold_it():
    before = {"value": 2.0, "values": [2.0, 2.0], "weights": [10, 30]}
    after = {"value": 1.25, "values": [0.5, 1.5], "weights": [10, 30]}
    assert gain(before, after)["value"] == pytest.approx(0.75) and gain(before, after)["low"] > 0
    gates = {"s": GateSettings(min_gain=0.7, max_drop=0.1)}
    assert [
        v.is_passed for v in judge_all(gates, {"s": {"before": before, "after": after}}, {"s": after})
    ] == [True] * 2
    assert [
        v.is_passed for v in judge_all(gates, {"s": {"before": before, "after": after}}, {"s": before})
    ] == [
        False,
        False,
    ]
