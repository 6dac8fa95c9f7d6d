"""What reasoning-gym's own scorer gives an answer to a question of its own; some tasks give partial credit.

The sample's `entry` is the question as reasoning-gym made it, as JSON, and names its task (`source_dataset`).
The answer is what the completion ends in (`math_answer.extract`), else all that follows the thinking.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from manus.data.forms.thought_format import spoken_part
from manus.data.sample import Sample
from manus.rewards.context import Context
from manus.scorers import math_answer
from manus.settings.frozen import Frozen

VERSION = 1
NEEDS_TRUST = False

REMEMBERED_ENTRIES = 256


class Settings(Frozen):
    """There is nothing to set."""


def can_score(sample: Sample, context: Context) -> bool:
    """Return whether the sample is a question of reasoning-gym."""
    return bool(sample.get("entry"))


def scorer(settings: Settings, context: Context) -> Callable[[Sample, str], float]:
    """Return the scorer that asks the task of each sample's entry."""
    from reasoning_gym.factory import get_score_answer_fn

    scorer_of = functools.cache(get_score_answer_fn)

    @functools.lru_cache(REMEMBERED_ENTRIES)
    def read(text: str) -> tuple[Callable[[str, Any], float], Any]:
        entry = _entry(text)
        ask = scorer_of(entry["metadata"]["source_dataset"])
        # JSON made lists of tuples, and a few scorers compare with tuples: take the form that knows its own
        # answer.
        own = str(entry["answer"])
        if ask(own, entry) < 1 and _scores_fully(ask, own, as_tuples := _with_tuples(entry)):
            return ask, as_tuples
        return ask, entry

    def score(sample: Sample, completion: str) -> float:
        if not sample.get("entry"):
            raise ValueError("the sample is no question of reasoning-gym: it has no entry")
        ask, entry = read(sample["entry"])
        said = spoken_part(completion)
        return float(ask(math_answer.extract(said) or said, entry))

    return score


def _entry(text: str) -> dict[str, Any]:
    entry = json.loads(text)
    metadata = entry.get("metadata") if isinstance(entry, dict) else None
    if not isinstance(metadata, dict) or "source_dataset" not in metadata or "answer" not in entry:
        raise ValueError(
            "the sample's entry is no entry of reasoning-gym: it names no source_dataset and answer"
        )
    return dict(entry)


def _scores_fully(ask: Callable[[str, Any], float], answer: str, entry: Any) -> bool:
    try:
        return ask(answer, entry) >= 1
    except Exception:  # a scorer that wants lists may raise anything when it gets tuples
        return False


def _with_tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_with_tuples(item) for item in value)
    return {key: _with_tuples(item) for key, item in value.items()} if isinstance(value, dict) else value
