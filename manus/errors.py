"""Errors that a user can act on, each with the exit code of the process. Knows nothing else of Manus."""

from __future__ import annotations

import contextlib
import difflib
import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 75


class ManusError(Exception):
    """Something went wrong that is said in one message, without a traceback."""

    exit_code = EXIT_FAILED


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with what the user gave, for programs, and where it stands, if anywhere."""

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


FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
PANIC = "PanicException"  # what libraries written in Rust raise past every `except Exception`
LONGEST_REASON = 300


@contextlib.contextmanager
def blamed_on(material: str, kind: type[InputError] = InputError) -> Iterator[None]:
    """Say that the user's material is to blame for what is raised while it is read: one message, exit code 2.

    A library that meets a torn or a forged file raises anything, from a ZeroDivisionError to a panic.

    Args:
        material: the file, and what cannot be done with it.
        kind: the error that says so.

    Raises:
        ManusError: as it came, when one of our own was raised.
        OSError: as it came, when a disk is full.
        InputError: of this kind, for everything else.
    """
    try:
        yield
    except ManusError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            raise
        raise kind(f"{material}: {reason_of(error)}") from error
    except BaseException as error:
        if type(error).__name__ != PANIC:
            raise
        raise kind(f"{material}: {reason_of(error)}") from error


def of_the_machine(error: BaseException) -> InputError | None:
    """Return what to say of a file or folder that cannot be read or written here; None for other errors."""
    if not isinstance(error, OSError) or error.errno in FULL_DISK:
        return None
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):
        return InputError(f"{error.strerror}: free some space there, or name another folder in TMPDIR")
    if error.filename is None or error.strerror is None:
        return None
    name = error.filename.decode(errors="replace") if isinstance(error.filename, bytes) else error.filename
    return InputError(f"{name}: {error.strerror.lower()}; is it where it should be, and may you write there?")


def reason_of(error: BaseException) -> str:
    """Return the first line of what an error says, or its name where it says nothing or only names a key."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    tells = said and not isinstance(error, LookupError)
    return said[:LONGEST_REASON] if tells else f"{type(error).__name__} {said}"[:LONGEST_REASON].strip()


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
    return (
        f"known: {', '.join(known)}"
        if len(known) <= MOST_LISTED
        else f"docs/RECIPES.md has the {len(known)} known"
    )
