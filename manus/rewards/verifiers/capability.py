"""The stage's own measure: whether the capability's verifier, as in the probe, calls a completion right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manus.capabilities import Capability, known_capabilities
from manus.data.sample import Sample
from manus.rewards.context import Context, Lookup
from manus.settings.frozen import Frozen

VERSION = 1
NEEDS_TRUST = False


class Settings(Frozen):
    """There is nothing to set."""


def can_score(sample: Sample, context: Context) -> bool:
    """Return whether the capability's probe could use the sample."""
    return bool(_capability(context).can_score(sample))


def scorer(settings: Settings, context: Context) -> Callable[[Sample, str], float]:
    """Return the capability's verifier as 1 or 0."""
    # The capabilities import it when they first compare; the clock of a score runs then.
    import math_verify  # noqa: F401

    capability = _capability(context)

    def score(sample: Sample, completion: str) -> float:
        if not capability.can_score(sample):
            raise ValueError(
                f"the sample has nothing that the verifier of {context.capability} compares with"
            )
        return float(capability.score(sample, completion).correct)

    return score


def identity(settings: Settings, context: Context, lookup: Lookup) -> dict[str, Any]:
    """Return which capability's verifier it is, and its version."""
    return {"capability": context.capability, "version": _capability(context).VERSION}


def _capability(context: Context) -> Capability:
    return known_capabilities()[context.capability]
