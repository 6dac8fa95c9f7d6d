"""How near a completion's length is to what is wanted. Knows nothing of tokens, or of what is said.

With `most_...` anything up to that length scores 1; with `target_...` only that length does. What is further
away scores less, by the distance as a share r of the wanted length: `clipped` is 1 - r, never below 0;
`smooth` is exp(-r * r), which never reaches 0. An empty completion scores 0: saying nothing is not brevity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from manus.data.forms.thought_format import spoken_part
from manus.data.sample import Sample
from manus.rewards.context import Context
from manus.settings.frozen import Frozen

VERSION = 1
NEEDS_TRUST = False

Length = Annotated[int | None, Field(gt=0)]


class Settings(Frozen):
    """The wanted length, in one unit."""

    most_words: Length = Field(None, description="Up to so many words score 1.")
    most_characters: Length = Field(None, description="Up to so many characters score 1.")
    target_words: Length = Field(None, description="Exactly so many words score 1.")
    target_characters: Length = Field(None, description="Exactly so many characters score 1.")
    penalty: Literal["clipped", "smooth"] = Field(
        "clipped", description="How the score falls with the distance."
    )
    ignore_thinking: bool = Field(False, description="Whether only what follows a <think> block counts.")

    @model_validator(mode="after")
    def _is_one_length(self) -> Settings:
        if len(self.wanted()) != 1:
            names = "most_words, most_characters, target_words, target_characters"
            raise ValueError(f"needs exactly one of {names}; has {', '.join(self.wanted()) or 'none'}")
        return self

    def wanted(self) -> dict[str, int]:
        """Return the lengths that are set."""
        return {
            name: value for name, value in self if name.startswith(("most_", "target_")) and value is not None
        }


def can_score(sample: Sample, context: Context) -> bool:
    """Return True: a length is compared with nothing of the sample's."""
    return True


def scorer(settings: Settings, context: Context) -> Callable[[Sample, str], float]:
    """Return the score of a length, between 0 and 1."""
    ((name, wanted),) = settings.wanted().items()

    def score(sample: Sample, completion: str) -> float:
        said = spoken_part(completion) if settings.ignore_thinking else completion.strip()
        length = len(said.split()) if name.endswith("_words") else len(said)
        if not length:
            return 0.0
        distance = length - wanted if name.startswith("most_") else abs(length - wanted)
        share = max(0, distance) / wanted
        return max(0.0, 1.0 - share) if settings.penalty == "clipped" else math.exp(-share * share)

    return score
