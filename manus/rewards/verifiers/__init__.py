"""One verifier per file, found by its name. A new file here is a new `verifier:` for recipes.

`Verifier` is what such a file says. Making a scorer raises InputError where what the settings name is
missing. Scores are finite numbers, more is better; 1 is right and 0 wrong wherever a verifier knows right and
wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manus.data.sample import Sample
from manus.discovery import Contract, discovered
from manus.rewards.context import Context, Lookup
from manus.settings.frozen import Frozen

Scorer = Callable[[Sample, str], float]
BatchScorer = Callable[[Sequence[Sample], Sequence[str]], Sequence[float]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Verifier(Contract):
    """What a file in this folder says of itself.

    VERSION: raised when the same settings give other scores.
    NEEDS_TRUST: whether it runs code of the user's, which the recipe must allow: `trust: local-code`.
    Settings: what a recipe may set under `options:`.
    can_score: tells whether a sample holds what it compares with.

    And one of two. scorer: makes a function of a sample and a completion that returns the score; it runs in a
    process of its own, where it may print, raise, hang or die, and never imports torch. batch_scorer: makes a
    function of samples and completions, at most `Settings.batch_size` of them, that returns their scores; it
    runs in the trainer's process, where the accelerator is.

    It may say more. identity: what of its settings shapes a score, where that is not the settings as they
    stand: the content of a file instead of its path.
    """

    VERSION: int
    NEEDS_TRUST: bool
    Settings: type[Frozen]
    can_score: Callable[[Sample, Context], bool]
    scorer: Callable[[Any, Context], Scorer] | None = None
    batch_scorer: Callable[[Any, Context], BatchScorer] | None = None
    identity: Callable[[Any, Context, Lookup], Any] | None = None

    def __post_init__(self) -> None:
        if (self.scorer is None) == (self.batch_scorer is None):
            raise TypeError(
                f"manus.rewards.verifiers.{self.name} must have scorer or batch_scorer, one of them"
            )


def known_verifiers() -> Mapping[str, Verifier]:
    """Return the verifiers by public name."""
    return discovered("manus.rewards.verifiers", Verifier)
