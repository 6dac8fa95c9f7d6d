r"""Whether the final answer is right as mathematics: `\boxed{\frac{1}{2}}` is 0.5. Thinking is not read."""

from __future__ import annotations

from collections.abc import Callable

from manus.data.forms.thought_format import spoken_part
from manus.data.sample import Sample
from manus.rewards.context import Context
from manus.scorers import math_answer
from manus.settings.frozen import Frozen

VERSION = 1
NEEDS_TRUST = False


class Settings(Frozen):
    """There is nothing to set."""


def can_score(sample: Sample, context: Context) -> bool:
    """Return whether the sample has an answer to compare with."""
    return bool(sample.get("answer"))


def scorer(settings: Settings, context: Context) -> Callable[[Sample, str], float]:
    """Return the comparison of final answers as 1 or 0."""
    import math_verify  # noqa: F401  the first comparison would import it; the clock of a score runs then

    def score(sample: Sample, completion: str) -> float:
        if not sample.get("answer"):
            raise ValueError("the sample has no answer to compare with")
        return float(math_answer.score(sample["answer"], spoken_part(completion)).correct)

    return score
