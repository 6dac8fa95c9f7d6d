"""A user's function, from a file that the recipe names. Runs only where the recipe says `trust: local-code`.

It is called by keyword, so `def reward(completion, **_)` is enough:

    function(prompt=[{"role", "content"}, ...], completion="...", answer="..." or None, sample={...}) -> float

The file stands alone: it may import what is installed, but not its neighbours, because its own content is
what identifies the scores that it gives.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import Field

from manus.data.sample import Sample, prompt_of
from manus.errors import InputError, did_you_mean
from manus.rewards.context import Context, Lookup
from manus.settings.frozen import Frozen
from manus.settings.words import Text

VERSION = 1
NEEDS_TRUST = True

MODULE_NAME = "manus_local_reward"


class Settings(Frozen):
    """Which function."""

    file: Text = Field(description="The Python file, from the working directory or beside the recipe.")
    function: str = Field("reward", pattern=r"^[^\W\d]\w*$", description="The function's name in that file.")


def can_score(sample: Sample, context: Context) -> bool:
    """Return True: only the function knows what it needs."""
    return True


def scorer(settings: Settings, context: Context) -> Callable[[Sample, str], float]:
    """Return the function, with what it is called with made anew each time: it may change what it likes.

    Raises:
        InputError: there is no such file or function, or running the file fails.
    """
    function = _function(_file(settings, context), settings.function)

    def score(sample: Sample, completion: str) -> float:
        own: dict[str, Any] = copy.deepcopy(dict(sample))
        prompt = copy.deepcopy(prompt_of(sample))
        return function(  # type: ignore[no-any-return]
            prompt=prompt, completion=completion, answer=own.get("answer"), sample=own
        )

    return score


def identity(settings: Settings, context: Context, lookup: Lookup) -> dict[str, Any]:
    """Return the content of the file, and which of its functions.

    Raises:
        InputError: there is no such file.
    """
    return {"function": settings.function, "sha256": lookup.digests.of_file(_file(settings, context))}


def _file(settings: Settings, context: Context) -> Path:
    file = context.find(settings.file)
    if not file.is_file():
        raise InputError(f"{settings.file!r}: no such file here or beside the recipe in {context.beside}")
    return file


def _function(file: Path, name: str) -> Callable[..., Any]:
    # Not by importlib's loader: it would leave, and believe, a __pycache__ beside the user's file.
    module = ModuleType(f"{MODULE_NAME}_{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    try:
        exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
    except Exception as error:
        raise InputError(f"{file} cannot be run: {type(error).__name__}: {error}") from None
    function = getattr(module, name, None)
    if callable(function):
        return function  # type: ignore[no-any-return]
    known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    raise InputError(f"{file} has no function {name!r}; {did_you_mean(name, known)}")
