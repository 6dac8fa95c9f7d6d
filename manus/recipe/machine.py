"""Reads what a machine says of itself: limits in `configs/guards.yaml`, choices in `configs/encoders.yaml`.

Knows nothing of recipes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from manus.errors import RecipeError
from manus.guards.settings import GuardSettings
from manus.models.encoders.settings import SenseSettings
from manus.recipe.located_yaml import read_located
from manus.recipe.problems import Problems

GUARDS = Path("configs") / "guards.yaml"
ENCODERS = Path("configs") / "encoders.yaml"

Model = TypeVar("Model", bound=BaseModel)


def machine_limits() -> dict[str, Any]:
    """Return the guards' settings of this machine: of the working directory's file, or else of the project's.

    Raises:
        RecipeError: the file is wrong; with one line for each thing.
    """
    path = _nearest(GUARDS)
    if path is None:
        return {}
    limits: dict[str, Any] = _read(path, GuardSettings)[1]
    return limits


def sense_choices() -> SenseSettings:
    """Return encoders and decoders to choose from: of the working directory's file, else of the project's.

    Raises:
        RecipeError: there is no such file, or it is wrong; with one line for each thing.
    """
    path = _nearest(ENCODERS)
    if path is None:
        raise RecipeError(
            f"{ENCODERS}: no such file here or in the project; it names the encoders of the senses"
        )
    return _read(path, SenseSettings)[0]


def _nearest(file: Path) -> Path | None:
    places = (file, Path(__file__).parents[2] / file)
    return next((place for place in places if place.is_file()), None)


def _read(path: Path, model: type[Model]) -> tuple[Model, Any]:
    """Return what a file says, checked and as it stands there."""
    source = read_located(path)
    problems = Problems(path, source)
    checked = problems.check(model, source.value, ())
    if checked is None:
        raise problems.error()
    return checked, source.value
