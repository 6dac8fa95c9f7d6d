"""What a recipe may say of rewards: mistakes are named, and only what shapes a score identifies it."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from manus.errors import InputError
from manus.rewards.context import Context, Lookup
from manus.rewards.settings import Rewards, RewardSettings, cannot_score, identity
from manus.store.digests import Digests

REWARDS = TypeAdapter(Rewards)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"verifier": "math-anser"}, "no verifier 'math-anser'; did you mean 'math-answer'"),
        (
            {"verifier": "format", "options": {"patern": "a"}},
            r"format: options.patern is not known; did you mean 'pattern'",
        ),
        ({"verifier": "format", "options": {"kind": "regex"}}, "kind: regex needs a pattern"),
        ({"verifier": "format", "options": {"pattern": "a"}}, "kind: think takes no pattern"),
        (
            {"verifier": "format", "options": {"kind": "regex", "pattern": "("}},
            r"options.pattern: '\(' is no regular expr",
        ),
        ({"verifier": "length"}, "needs exactly one of most_words"),
        (
            {"verifier": "length", "options": {"most_words": 0}},
            "options.most_words: input should be greater than 0",
        ),
        (
            {"verifier": "length", "options": {"most_words": 1, "target_words": 2}},
            "has most_words, target_words",
        ),
        (
            {"verifier": "math-answer", "options": {"strict": True}},
            "options.strict is not known; it takes no options",
        ),
        ({"verifier": "python", "options": {}}, "options.file: field required"),
        (
            {"verifier": "python", "options": {"file": "a.py", "function": "a.b"}},
            "options.function: string should match",
        ),
        ({"verifier": "math-answer", "weight": float("nan")}, "finite"),
        ({"verifier": "math-answer", "weight": "1"}, "valid number"),
        ({"verifier": "math-answer", "name": "a b"}, "name"),
        ({"verifier": "math-answer", "wieght": 1}, "wieght"),
    ],
)  # fmt: skip
def test_mistakes_are_named(given, message):
    with pytest.raises(ValidationError, match=message):
        RewardSettings(**given)


def test_names_are_unique():
    twice = [{"verifier": "format"}, {"verifier": "format", "options": {"kind": "json"}}]
    with pytest.raises(ValidationError, match="two rewards are called 'format'"):
        REWARDS.validate_python(twice)
    rewards = REWARDS.validate_python([twice[0], {**twice[1], "name": "json"}])
    assert [reward.component for reward in rewards] == ["format", "json"]
    with pytest.raises(ValidationError):
        REWARDS.validate_python([])


def test_identity_is_of_contents(tmp_path):
    lookup, context = (
        Lookup(Digests(tmp_path / "digests.json"), made={"judge": "key-of-judge"}),
        Context("cot", tmp_path),
    )
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("def reward(**_): return 1.0", encoding="utf-8")

    def of(**given):
        return identity(REWARDS.validate_python([given]), context, lookup)

    own = {"verifier": "python", "options": {"file": "a.py"}}
    assert of(**own) == of(verifier="python", name="mine", options={"file": "b.py", "function": "reward"})
    before = of(**own)
    (tmp_path / "a.py").write_text("def reward(**_): return 2.0", encoding="utf-8")
    assert of(**own) != before
    assert "a.py" not in str(of(**own))
    assert (
        of(verifier="format")
        == of(verifier="format", options={"kind": "think"})
        != of(verifier="format", weight=2.0)
    )
    assert of(verifier="capability")[0]["options"]["capability"] == "cot"
    model = {"verifier": "reward-model", "options": {"model": "judge"}}
    assert of(**model)[0]["options"] == {"model": "key-of-judge", "max_length": 2048}
    with pytest.raises(InputError, match=r"reward 'python': 'c\.py': no such file"):
        of(verifier="python", options={"file": "c.py"})


def test_what_a_sample_lacks_is_known_before():
    rewards = REWARDS.validate_python([{"verifier": "math-answer"}, {"verifier": "format"}])
    context = Context("cot", None)
    assert cannot_score(rewards, {"messages": []}, context) == ["math-answer"]
    assert cannot_score(rewards, {"answer": "1"}, context) == []
    assert [reward.needs_trust for reward in rewards] == [False, False]
