"""Every verifier says right, wrong and in between; each file has the shape that recipes rely on."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from manus.capabilities import reasoning
from manus.data.generators import reasoning as questions
from manus.errors import InputError
from manus.rewards.context import Context
from manus.rewards.settings import RewardSettings
from manus.rewards.verifiers import known_verifiers

CONTEXT = Context("reasoning", Path())
CALL = '<tool_call>\n{"name":"add","arguments":{"a":1,"b":2}}\n</tool_call>'
OTHER_CALL = '<tool_call>\n{"name":"add","arguments":{"a":1,"b":3}}\n</tool_call>'
ADD = {
    "name": "add",
    "description": "",
    "parameters": {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
}
WANTS_CALL = {"tools": [ADD], "calls": [{"name": "add", "arguments": {"a": 1, "b": 2}}]}
WANTS_NONE = {"tools": [ADD], "calls": []}
THOUGHT = "<think>\n1 and 1\n</think>\n"


def scorer(verifier: str, context: Context = CONTEXT, **options):
    reward = RewardSettings(verifier=verifier, options=options)
    return reward.module.scorer(reward.resolved, context)


def words(count: int) -> str:
    return " ".join(["word"] * count)


CASES = [
    ("math-answer", {}, {"answer": "1/2"}, "So it is \\boxed{\\frac{1}{2}}.", 1),
    ("math-answer", {}, {"answer": "1/2"}, THOUGHT + "The answer is 0.5", 1),
    ("math-answer", {}, {"answer": "1/2"}, "\\boxed{2}", 0),
    ("math-answer", {}, {"answer": "2"}, "<think>\\boxed{2} I never end", 0),
    ("math-answer", {}, {"answer": "2"}, "", 0),
    ("exact-match", {}, {"answer": "a dog"}, THOUGHT + " a  dog\n", 1),
    ("exact-match", {}, {"answer": "a dog"}, "A dog", 0),
    ("exact-match", {"ignore_case": True}, {"answer": "a dog"}, "A DOG", 1),
    ("exact-match", {"ignore_space": False}, {"answer": "a dog"}, "a  dog", 0),
    ("exact-match", {"ignore_thinking": False}, {"answer": "a dog"}, THOUGHT + "a dog", 0),
    ("exact-match", {}, {"answer": "a dog"}, "", 0),
    ("tool-calls", {}, WANTS_CALL, THOUGHT + CALL, 1),
    ("tool-calls", {}, WANTS_CALL, OTHER_CALL, 0),
    ("tool-calls", {"right_function": 0.25}, WANTS_CALL, OTHER_CALL, 0.25),
    ("tool-calls", {"right_function": 0.25}, WANTS_CALL, "<tool_call>{", 0),
    ("tool-calls", {}, WANTS_NONE, "None of these functions can do that.", 1),
    ("tool-calls", {"right_function": 0.25}, WANTS_NONE, CALL, 0),
    ("tool-calls", {}, WANTS_NONE, "", 0),
    ("format", {}, {}, THOUGHT + "2", 1),
    ("format", {}, {}, THOUGHT, 0),
    ("format", {}, {}, THOUGHT + THOUGHT + "2", 0),
    ("format", {}, {}, "2", 0),
    ("format", {"kind": "json"}, {}, THOUGHT + '{"a": [1]}\n', 1),
    ("format", {"kind": "json"}, {}, "[]", 1),
    ("format", {"kind": "json"}, {}, '{"a": 1} and more', 0),
    ("format", {"kind": "json"}, {}, '{"a": NaN}', 0),
    ("format", {"kind": "json"}, {}, "[" * 100_000, 0),
    ("format", {"kind": "json"}, {}, "5", 0),
    ("format", {"kind": "regex", "pattern": r"^\d+$"}, {}, "42", 1),
    ("format", {"kind": "regex", "pattern": r"^\d+$"}, {}, "42!", 0),
    ("length", {"most_words": 10}, {}, words(10), 1),
    ("length", {"most_words": 10}, {}, words(15), 0.5),
    ("length", {"most_words": 10}, {}, words(40), 0),
    ("length", {"most_words": 10, "penalty": "smooth"}, {}, words(20), math.exp(-1)),
    ("length", {"most_words": 10}, {}, "", 0),
    ("length", {"target_words": 10}, {}, words(5), 0.5),
    ("length", {"target_characters": 4}, {}, " four ", 1),
    ("length", {"most_characters": 1, "ignore_thinking": True}, {}, THOUGHT + "2", 1),
    ("capability", {}, {"answer": "2"}, "The answer is 2.", 1),
    ("capability", {}, {"answer": "2"}, "The answer is 3.", 0),
]


@pytest.mark.parametrize(("verifier", "options", "sample", "completion", "expected"), CASES)
def test_scores(verifier, options, sample, completion, expected):
    assert scorer(verifier, **options)(sample, completion) == pytest.approx(expected)


def test_the_capability_of_the_stage_decides():
    bare, thoughtful = "The answer is \\boxed{2}.", THOUGHT + "The answer is \\boxed{2}."
    score = scorer("capability", Context("thinking", Path()))
    assert (score({"answer": "2"}, bare), score({"answer": "2"}, thoughtful)) == (0, 1)


@pytest.mark.parametrize(
    "verifier", ["math-answer", "exact-match", "tool-calls", "reasoning-gym", "capability"]
)
def test_a_sample_without_what_is_compared_is_no_wrong_answer(verifier):
    sample = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}
    assert not known_verifiers()[verifier].can_score(sample, CONTEXT)
    with pytest.raises(ValueError, match="the sample"):
        scorer(verifier)(sample, "!")


def test_reasoning_gym_scores_its_own_questions():
    rows = questions.rows(6, 0, False, questions.Settings())
    samples = [reasoning.read(row) for row in rows]
    score = scorer("reasoning-gym")
    for sample in samples:
        assert known_verifiers()["reasoning-gym"].can_score(sample, CONTEXT)
        assert score(sample, sample["messages"][-1]["content"]) == 1
        assert score(sample, "The answer is \\boxed{~}.") < 1


def test_reasoning_gym_gives_part_of_the_credit_and_takes_tuples_for_lists():
    # countdown takes any expression of the right value; rearc compares with tuples, which JSON made lists.
    entry = {"answer": "1 + 2", "metadata": {"source_dataset": "countdown", "numbers": [1, 2], "target": 3}}
    score = scorer("reasoning-gym")
    assert score({"entry": json.dumps(entry)}, "\\boxed{2 + 1}") == 1
    assert 0 < score({"entry": json.dumps(entry)}, "\\boxed{2 - 1}") < 1
    board = {"answer": "1 2\n3 4", "metadata": {"source_dataset": "rearc", "output": [[1, 2], [3, 4]]}}
    assert score({"entry": json.dumps(board)}, "1 2\n3 4") == 1
    assert score({"entry": json.dumps(board)}, "1 2\n3 5") < 1


@pytest.mark.parametrize("entry", ["{}", "[]", "no json", '{"metadata": {}}'])
def test_reasoning_gym_refuses_entries_of_others(entry):
    with pytest.raises(ValueError):
        scorer("reasoning-gym")({"entry": entry}, "2")


def test_a_function_gets_the_prompt_and_its_own_copies(tmp_path):
    text = (
        "def reward(prompt, completion, answer, sample):\n"
        "    assert [turn['role'] for turn in prompt] == ['user'] and sample['answer'] == answer\n"
        "    prompt.clear(); sample.clear()\n"
        "    return len(completion) / 10\n"
    )
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    sample = {"messages": messages, "answer": "!"}
    score = scorer("python", Context("cot", tmp_path), file="mine.py")
    assert score(sample, "12345") == score(sample, "12345") == 0.5
    assert score({"messages": messages[:1], "answer": "!"}, "1") == 0.1
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.py"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("def rewards(**_): return 1", "no function 'reward'; did you mean 'rewards'"),
        ("reward = 1", "no function 'reward'"),
        ("def reward(:", "cannot be run: SyntaxError"),
        ("import not_installed_at_all", "cannot be run: ModuleNotFoundError"),
    ],
)
def test_a_function_that_is_not_there(tmp_path, text, message):
    if text is not None:
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        scorer("python", Context("cot", tmp_path), file="mine.py")


def test_every_verifier_of_the_issue_is_there():
    assert set(known_verifiers()) == {
        "capability",
        "math-answer",
        "exact-match",
        "tool-calls",
        "format",
        "length",
        "reasoning-gym",
        "python",
        "reward-model",
    }
    assert [name for name, module in known_verifiers().items() if module.NEEDS_TRUST] == ["python"]


@pytest.mark.parametrize("name", known_verifiers())
def test_the_contract(name):
    verifier = known_verifiers()[name]
    assert (verifier.scorer is None) != (verifier.batch_scorer is None)
    assert ("batch_size" in verifier.Settings.model_fields) == (verifier.batch_scorer is not None)
    assert len(verifier.doc) > 60


def test_importing_them_loads_nothing_heavy():
    code = (
        "import sys; import manus.rewards.worker, manus.rewards.judge;"
        "from manus.rewards.verifiers import known_verifiers; known_verifiers();"
        "print([n for n in ('torch', 'transformers', 'reasoning_gym', 'math_verify', 'sympy', 'numpy') "
        "if n in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
