"""What came of asking a verifier: a score, or the reason why there is none. Knows nothing of verifiers."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import NamedTuple

from manus.data.forms.literals import shortened

LONGEST_REASON_CHARACTERS = 200


class Outcome(NamedTuple):
    """A finite score, or None and the reason."""

    score: float | None
    reason: str = ""


def outcome_of(call: Callable[[], object]) -> Outcome:
    """Return what came of a call, whatever it does short of ending the process."""
    try:
        return outcome_from(call())
    except (
        BaseException
    ) as error:  # also sys.exit and KeyboardInterrupt, which are a verifier's failures here
        return Outcome(None, raised(error))


def outcome_from(value: object) -> Outcome:
    """Return a verifier's value as an outcome: it must be a finite number."""
    if not isinstance(value, Real):
        return Outcome(None, f"returned {_type_of(value)}, not a number")
    try:
        score = float(value)
    except OverflowError:
        score = math.inf
    return Outcome(score) if math.isfinite(score) else Outcome(None, f"returned {score}, not a finite number")


def _type_of(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__} {shortened(value)}"


def raised(error: BaseException) -> str:
    """Return the reason that an exception gives, on one line."""
    try:
        said = " ".join(str(error).split())
    except Exception:
        said = ""
    text = f"raised {type(error).__name__}{': ' if said else ''}{said}"
    return text if len(text) <= LONGEST_REASON_CHARACTERS else f"{text[: LONGEST_REASON_CHARACTERS - 1]}…"
