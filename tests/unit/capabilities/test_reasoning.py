"""reasoning reads NuminaMath, MATH and its own rows, keeps their levels, and leaves proofs unprobed."""

from __future__ import annotations

import pytest

from manus.capabilities import reasoning
from manus.data.sample import RowError

SOLUTION = "Compute $2^5 = 32$, then halve it: $\\frac{32}{2}$.\nSo it is \\boxed{\\frac{32}{2}}."


def numina(solution: str) -> dict:
    problem = "What is half of $2^5$?"
    messages = [{"content": problem, "role": "user"}, {"content": solution, "role": "assistant"}]
    return {"source": "amc_aime", "problem": problem, "solution": solution, "messages": messages}


def test_numina_rows_keep_their_messages_and_their_source_as_level():
    sample = reasoning.read(numina(SOLUTION))
    assert sample["messages"][-1] == {"role": "assistant", "content": SOLUTION}
    assert (sample["answer"], sample["level"]) == ("\\frac{32}{2}", "amc_aime")
    assert reasoning.score(sample, "It is \\boxed{16}.").correct
    assert not reasoning.score(sample, "It is \\boxed{32}.").correct


def test_proofs_train_but_are_not_probed():
    sample = reasoning.read(numina("The answer is clear by induction. \\blacksquare"))
    assert sample["messages"] and "answer" not in sample
    assert not reasoning.can_score(sample)


def test_math_rows():
    row = {"problem": "1+1?", "level": "Level 1", "type": "Algebra", "solution": "It is $\\boxed{2}$."}
    sample = reasoning.read(row)
    assert (sample["answer"], sample["level"]) == ("2", "Level 1")


def test_generated_rows_and_words_as_answers():
    row = {
        "messages": [
            {"role": "user", "content": "What is Michael to Winter?"},
            {"role": "assistant", "content": "The answer is \\boxed{son}."},
        ],
        "answer": "son",
        "level": "1",
        "task": "family_relationships",
        "entry": "{}",
    }
    sample = reasoning.read(row)
    assert (sample["answer"], sample["level"]) == ("son", "1") and reasoning.can_score(sample)
    assert reasoning.score(sample, "The answer is \\boxed{Son}.").correct
    assert not reasoning.score(sample, "The answer is \\boxed{nos}.").correct


def test_broken_rows():
    with pytest.raises(RowError, match="is empty"):
        reasoning.read({"problem": "1+1?", "solution": "  "})
