"""thinking reads s1K, GSM8K and marked thoughts into one form, and wants that form back."""

from __future__ import annotations

import pytest

from manus.capabilities import thinking
from manus.data.sample import RowError

S1K = {
    "solution": "128",
    "question": "How many ways are there?",
    "cot_type": "math",
    "source_type": "qq8933/AIME",
    "metadata": "{}",
    "gemini_thinking_trajectory": "x",
    "gemini_attempt": "y",
    "deepseek_thinking_trajectory": "Two to the seventh.\n\nThat is 128.",
    "deepseek_attempt": "There are \\boxed{129}.",
}
GSM8K = {"question": "How many?", "answer": "Half of 48 is <<48/2=24>>24.\n#### 1,024"}


def chat(said: str) -> dict:
    return {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": said}]}


def test_s1k_rows():
    sample = thinking.read(S1K)
    assert sample["messages"] == [
        {"role": "user", "content": "How many ways are there?"},
        {
            "role": "assistant",
            "content": "<think>\nTwo to the seventh.\n\nThat is 128.\n</think>\nThere are \\boxed{129}.",
        },
    ]
    # The reference is what the data set says, not what the other model attempted.
    assert sample["answer"] == "128"


def test_s1k_solutions_that_are_texts_give_their_box_or_the_attempts():
    boxed = thinking.read(
        S1K | {"solution": "We count them one by one, carefully, and find \\boxed{7} in the end."}
    )
    proof = thinking.read(
        S1K | {"solution": "We count them one by one, carefully, and find them all in the end."}
    )
    assert (boxed["answer"], proof["answer"]) == ("7", "129")
    essay = thinking.read(
        S1K | {"solution": "A long discussion of the question follows here.", "deepseek_attempt": "Many."}
    )
    assert not thinking.can_score(essay)


def test_gsm8k_steps_become_the_thought():
    sample = thinking.read(GSM8K)
    assert (
        sample["messages"][1]["content"]
        == "<think>\nHalf of 48 is 24.\n</think>\nThe answer is \\boxed{1024}."
    )
    assert sample["answer"] == "1024"


def test_open_thoughts_rows_are_thoughts_too():
    row = chat("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>\\boxed{b}<|end_of_solution|>")
    assert thinking.read(row)["messages"][1]["content"] == "<think>\na\n</think>\n\\boxed{b}"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (chat("42"), "not one <think>"),
        (chat("<think></think>42"), "not one <think>"),
        (chat("<think>a"), "not one <think>"),
        (S1K | {"deepseek_thinking_trajectory": None}, "'deepseek_thinking_trajectory' is missing"),
        (S1K | {"deepseek_attempt": " "}, "'deepseek_attempt' is missing, empty"),
        (S1K | {"question": 3}, "'question' is missing, empty or not text"),
        (S1K | {"deepseek_attempt": "a <think> b"}, "a <think> tag of its own"),
    ],
)
def test_rows_without_a_thought_are_refused(row, reason):
    with pytest.raises(RowError, match=reason):
        thinking.read(row)


@pytest.mark.parametrize(
    ("completion", "correct", "well_formed"),
    [
        ("<think>\n2^7\n</think>\n\\boxed{128}", True, 1.0),
        ("<think>2^7</think>The answer is 128.", True, 1.0),
        ("<think>\n2^7\n</think>\n\\boxed{127}", False, 1.0),
        ("\\boxed{128}", False, 0.0),
        ("<think></think>\\boxed{128}", False, 0.0),
        ("<think>\\boxed{128}", False, 0.0),
        ("<think>\\boxed{128}</think>", False, 0.0),
        ("\\boxed{128} <think>a</think>", False, 0.0),
    ],
)
def test_only_a_thought_and_the_right_answer_score(completion, correct, well_formed):
    result = thinking.score(thinking.read(S1K), completion)
    assert (result.correct, result.parts["well_formed"]) == (correct, well_formed)
