"""What the capabilities that answer questions about media share. Knows nothing of their formats."""

from __future__ import annotations

from manus.data.sample import MediumKind, Sample
from manus.scorers.plain_words import words

LONGEST_ANSWER_WORDS = 6


def with_short_answer(sample: Sample) -> Sample:
    """Return the sample with what the probe compares with: its answer or, if a few words, its last turn.

    Longer ones are descriptions: two right ones need not be equal, so they are learned and not probed.
    """
    answer = sample.get("answer") or sample["messages"][-1]["content"]
    if 0 < len(words(answer)) <= LONGEST_ANSWER_WORDS:
        return {**sample, "answer": answer}
    return {name: value for name, value in sample.items() if name != "answer"}  # type: ignore[return-value]


def has(sample: Sample, kind: MediumKind) -> bool:
    """Return whether a medium of that kind stands in the sample."""
    return any(medium["kind"] == kind for medium in sample.get("media", []))
