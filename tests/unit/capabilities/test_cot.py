"""cot reads its default data, worked answers of peers and its own, and scores the answer after the steps."""

from __future__ import annotations

import pytest

from manus.capabilities import cot
from manus.data.sample import RowError

OPEN_THOUGHTS = {
    "system": "Your role as an assistant involves thoroughly exploring questions. Use <|begin_of_thought|> "
    "{thought with steps separated by blank lines} <|end_of_thought|> and <|begin_of_solution|> {final} "
    "<|end_of_solution|>.",
    "conversations": [
        {"from": "user", "value": "Return your final response within \\boxed{}. What is 6 times 7?"},
        {
            "from": "assistant",
            "value": "<|begin_of_thought|>\n\nMaybe \\boxed{41}?\n\nNo: 6 * 7 = 42.\n\n<|end_of_thought|>\n\n"
            "<|begin_of_solution|>\n\nSix sevens are \\( \\boxed{42} \\).\n\n<|end_of_solution|>",
        },
    ],
}
GSM8K = {
    "question": "Natalia sold clips to 48 of her friends in April, and half as many in May. "
    "How many altogether?",
    "answer": "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
    "Altogether 48+24 = <<48+24=72>>72 clips.\n#### 72",
}


def test_open_thoughts_becomes_a_think_block_without_the_system_turn():
    sample = cot.read(OPEN_THOUGHTS)
    assert [message["role"] for message in sample["messages"]] == ["user", "assistant"]
    assert sample["messages"][1]["content"] == (
        "<think>\nMaybe \\boxed{41}?\n\nNo: 6 * 7 = 42.\n</think>\nSix sevens are \\( \\boxed{42} \\)."
    )
    assert sample["answer"] == "42"


def test_gsm8k_loses_its_marks_and_boxes_its_answer():
    sample = cot.read(GSM8K)
    assert sample["messages"][1]["content"] == (
        "Natalia sold 48/2 = 24 clips in May.\nAltogether 48+24 = 72 clips.\nThe answer is \\boxed{72}."
    )
    assert sample["answer"] == "72"


def test_other_rows_are_taught_as_they_stand():
    alpaca = {"instruction": "What is 3 + 4?", "input": "", "output": "3 + 4 = 7. The answer is 7."}
    sample = cot.read(alpaca)
    assert sample["messages"][1]["content"] == alpaca["output"]
    assert sample["answer"] == "7" and cot.can_score(sample)
    poem = cot.read({"instruction": "Write a poem.", "input": "", "output": "Roses are red."})
    assert "answer" not in poem and not cot.can_score(poem)


def test_a_row_may_bring_its_answer():
    row = {
        "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "Long story."}],
        "answer": 5,
    }
    assert cot.read(row)["answer"] == "5"


@pytest.mark.parametrize(
    ("completion", "correct"),
    [
        ("48 + 24 = 72. The answer is \\boxed{72}.", True),
        ("<think>\nhm\n</think>\n\\boxed{72}", True),
        ("#### 72", True),
        ("48 + 24 = 73. The answer is \\boxed{73}.", False),
        ("48 + 24 = 72.", False),
        ("<think>\nIt is \\boxed{72}", False),
        ("<think>\nIt is \\boxed{72}\n</think>\n\\boxed{71}", False),
        ("", False),
    ],
)
def test_scores(completion, correct):
    assert cot.score(cot.read(GSM8K), completion).correct is correct


def test_broken_rows():
    with pytest.raises(RowError, match="markers are incomplete"):
        cot.read(
            {
                "conversations": [
                    {"from": "user", "value": "?"},
                    {"from": "assistant", "value": "<|begin_of_thought|>a"},
                ]
            }
        )
    with pytest.raises(RowError, match="no known shape"):
        cot.read({"id": 1})
