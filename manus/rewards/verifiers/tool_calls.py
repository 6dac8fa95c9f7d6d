"""Whether exactly the expected functions are called with the expected arguments. Thinking is not read."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from manus.capabilities import tools
from manus.data.sample import Sample
from manus.rewards.context import Context
from manus.settings.frozen import Frozen

VERSION = 1
NEEDS_TRUST = False


class Settings(Frozen):
    """What a call that is nearly right is worth."""

    right_function: float = Field(
        0.0, ge=0, le=1, description="The score of calling the right functions with wrong arguments."
    )


def can_score(sample: Sample, context: Context) -> bool:
    """Return whether the sample says which functions are offered and which calls, or none, are expected."""
    return bool(sample.get("tools")) and "calls" in sample


def scorer(settings: Settings, context: Context) -> Callable[[Sample, str], float]:
    """Return the comparison of calls: 1, `right_function`, or 0."""

    def score(sample: Sample, completion: str) -> float:
        if not can_score(sample, context):
            raise ValueError(
                "the sample does not say which functions are offered and which calls are expected"
            )
        result = tools.score(sample, completion)
        if result.correct:
            return 1.0
        return settings.right_function if sample["calls"] and result.parts["name"] else 0.0

    return score
