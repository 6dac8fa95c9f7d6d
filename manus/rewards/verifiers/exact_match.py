"""Whether the whole completion is the sample's answer, letter by letter. Knows no mathematics."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from manus.data.forms.thought_format import spoken_part
from manus.data.sample import Sample
from manus.rewards.context import Context
from manus.settings.frozen import Frozen

VERSION = 1
NEEDS_TRUST = False


class Settings(Frozen):
    """What makes no difference."""

    ignore_case: bool = Field(False, description="Whether upper and lower case are the same.")
    ignore_space: bool = Field(
        True, description="Whether runs of spaces and line ends are one space, and none at the ends."
    )
    ignore_thinking: bool = Field(True, description="Whether a <think> block before the answer is left out.")


def can_score(sample: Sample, context: Context) -> bool:
    """Return whether the sample has an answer to compare with."""
    return bool(sample.get("answer"))


def scorer(settings: Settings, context: Context) -> Callable[[Sample, str], float]:
    """Return the comparison as 1 or 0."""

    def plain(text: str) -> str:
        text = " ".join(text.split()) if settings.ignore_space else text
        return text.casefold() if settings.ignore_case else text

    def score(sample: Sample, completion: str) -> float:
        if not sample.get("answer"):
            raise ValueError("the sample has no answer to compare with")
        said = spoken_part(completion) if settings.ignore_thinking else completion
        return float(plain(said) == plain(sample["answer"]))

    return score
