"""Reads the limits of this machine from `configs/guards.yaml`. Knows nothing of recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manus.errors import RecipeError
from manus.guards.settings import GuardSettings
from manus.located_yaml import read_located
from manus.recipe_problems import Problems

GUARDS = Path("configs") / "guards.yaml"


def machine_limits() -> dict[str, Any]:
    """Return the guards' settings of this machine: of the working directory's file, or else of the project's.

    Raises:
        RecipeError: the file is wrong; with one line for each thing.
    """
    places = (GUARDS, Path(__file__).parents[1] / GUARDS)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    source = read_located(path)
    problems = Problems(path, source)
    problems.check(GuardSettings, source.value, ())
    if problems:
        raise RecipeError("\n".join(problems.messages()))
    limits: dict[str, Any] = source.value
    return limits
