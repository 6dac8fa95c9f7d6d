"""Errors that a user can act on, each with the exit code of the process. Knows nothing else of Manus."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 75


class ManusError(Exception):
    """Something went wrong that is said in one message, without a traceback."""

    exit_code = EXIT_FAILED


class Fault(NamedTuple):
    """One thing that is wrong with what the user gave, for programs: where it stands, as far as it stands somewhere."""

    file: str | None
    line: int | None
    key: str | None
    message: str


class InputError(ManusError):
    """What the user gave cannot be used; `faults` are the parts of the message, where it has any."""

    exit_code = EXIT_BAD_INPUT

    def __init__(self, message: str, faults: Iterable[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class RecipeError(InputError):
    """The recipe is wrong; the message names file, line, key and fix."""


class DataError(InputError):
    """A data source is missing, unreadable or too broken to train on."""


class ModelError(InputError):
    """A model folder, file or id is missing, unreadable or not usable here."""


class RewardError(InputError):
    """A verifier that rewards completions cannot be used, or failed too often to learn from."""


class GateError(ManusError):
    """The merged model did not pass the recipe's gates."""


class Interrupted(ManusError):
    """A signal stopped the work at a safe point; the next run continues from there."""

    exit_code = EXIT_INTERRUPTED


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like `word`, or None when nothing is close."""
    lowered = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


MOST_LISTED = 30


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a clause with the nearest known word, else the list of known words."""
    known = sorted(known)
    guess = nearest(word, known)
    if guess:
        return f"did you mean {guess!r}?"
    return f"known: {', '.join(known)}" if len(known) <= MOST_LISTED else f"docs/RECIPES.md has the {len(known)} known"
