"""Whether a completion has a form: a think block before the answer, JSON, a pattern. Not whether it is right.

`think`: one closed, non-empty <think> block, then an answer. `json`: what follows the thinking is one JSON
object or list and nothing else. `regex`: `pattern` (Python's syntax) is found in the completion; `^` and `$`
tie it to its ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Literal

from pydantic import Field, field_validator, model_validator

from manus.data.forms.literals import read_first
from manus.data.forms.thought_format import split_thought, spoken_part
from manus.data.sample import Sample
from manus.rewards.context import Context
from manus.settings.frozen import Frozen

VERSION = 1
NEEDS_TRUST = False


class Settings(Frozen):
    """Which form."""

    kind: Literal["think", "json", "regex"] = Field("think", description="The form to have.")
    pattern: str | None = Field(None, min_length=1, description="The regular expression of kind regex.")

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _has_its_pattern(self) -> Settings:
        if (self.kind == "regex") != (self.pattern is not None):
            raise ValueError(
                "kind: regex needs a pattern"
                if self.kind == "regex"
                else f"kind: {self.kind} takes no pattern"
            )
        return self


def can_score(sample: Sample, context: Context) -> bool:
    """Return True: a form is compared with nothing."""
    return True


def scorer(settings: Settings, context: Context) -> Callable[[Sample, str], float]:
    """Return whether the form is there as 1 or 0."""
    pattern = re.compile(settings.pattern or "")
    has_form: dict[str, Callable[[str], bool]] = {
        "think": lambda text: split_thought(text) is not None,
        "json": _is_json,
        "regex": lambda text: pattern.search(text) is not None,
    }

    def score(sample: Sample, completion: str) -> float:
        return float(has_form[settings.kind](completion))

    return score


def _is_json(completion: str) -> bool:
    said = spoken_part(completion)
    if not said.startswith(("{", "[")):
        return False
    try:
        _, end = read_first(said, 0)
    except (ValueError, json.JSONDecodeError):
        return False
    return end == len(said)
