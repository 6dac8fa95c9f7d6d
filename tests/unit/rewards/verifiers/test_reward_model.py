"""A reward model scores prompt and completion in batches, whatever else is in the batch."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

from manus.errors import ModelError
from manus.rewards.context import Context
from manus.rewards.judge import Judge
from manus.rewards.settings import RewardSettings
from tests.pico import tokenizer

QUESTION = {"role": "user", "content": "last of 1 2 3"}
SAMPLE = {
    "messages": [QUESTION, {"role": "assistant", "content": "the reference is not read"}],
    "answer": "3",
}
COMPLETIONS = ["3", "The answer is \\boxed{3}.", "", "word " * 40, "3", "4"]


def save(folder, kind=LlamaForSequenceClassification, labels=1):
    words = tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=128,
        num_labels=labels,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
    )
    kind(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("reward-model"))


def judge(context: Context, *others: RewardSettings, **options) -> Judge:
    model = RewardSettings(verifier="reward-model", name="model", options={"model": "mine", **options})
    return Judge([model, *others], context, say=lambda _: None, failure_budget=1.0)


def test_batches_change_nothing_and_sums_add_up(folder):
    context = Context("cot", folder, {"mine": folder})
    exact = RewardSettings(verifier="exact-match", weight=10.0)
    with judge(context, exact, batch_size=4) as several, judge(context, batch_size=1) as single:
        scores = several.score([SAMPLE] * 6, COMPLETIONS)
        alone = single.score([SAMPLE] * 6, COMPLETIONS).components["model"]
    got = scores.components["model"]
    assert got == pytest.approx(alone, abs=1e-5) and len(set(alone)) == 5 and alone[0] == alone[4]
    assert scores.total == pytest.approx([g + 10 * (c == "3") for g, c in zip(got, COMPLETIONS, strict=True)])


def test_the_prompt_and_not_the_reference_is_read(folder):
    asked = {"messages": [QUESTION]}
    other = {"messages": [{"role": "user", "content": "first of 1 2 3"}]}
    with judge(Context("cot", folder), model=str(folder)) as made:
        first, second, third = made.score([SAMPLE, asked, other], ["3"] * 3).total
    assert first == second != third


def test_a_long_conversation_keeps_its_end(folder):
    with judge(Context("cot", folder, {"mine": folder}), max_length=24) as made:
        scores = made.score([SAMPLE] * 3, ["word " * 40 + "3", "word " * 60 + "3", "word " * 60 + "4"]).total
    assert scores[0] == pytest.approx(scores[1], abs=1e-5) and scores[1] != scores[2]


def test_what_fails_in_the_trainers_process_counts_as_zero_too(folder):
    context = Context("cot", folder, {"mine": folder})
    with judge(context, batch_size=2) as made:
        for value, reason in (
            ([1.0], "returned 1 scores for 2"),
            ([float("nan")] * 2, "returned nan, not a finite number"),
        ):
            made._batch_scorers["model"] = lambda samples, completions, value=value: value
            assert made.score([SAMPLE] * 2, ["3", "4"]).total == [0.0, 0.0]
            assert any(failure["reason"] == reason and failure["count"] == 2 for failure in made.failures)


@pytest.mark.parametrize(("kind", "labels"), [(LlamaForSequenceClassification, 2), (LlamaForCausalLM, 1)])
def test_other_models_are_refused(tmp_path, kind, labels):
    folder = save(tmp_path / "other", kind, labels)
    with (
        pytest.raises(ModelError, match="is no reward model"),
        judge(Context("cot", folder, {"mine": folder})),
    ):
        pass


def test_a_missing_model_is_named(tmp_path):
    with (
        pytest.raises(ModelError, match=r"^reward model .\./nowhere.: no such"),
        judge(Context("cot", tmp_path), model="./nowhere"),
    ):
        pass
