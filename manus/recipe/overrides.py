"""Reads what was given with `snakemake --config` or `manus --set`. Knows nothing of recipes' contents."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manus.errors import RecipeError, did_you_mean
from manus.recipe.located_yaml import read_scalar
from manus.recipe.recipe import Overrides
from manus.recipe.wording import shortened

KNOWN = ("recipe", *Overrides.model_fields)
TEXTS = ("base_model", "output_dir", "training_method")


def split_config(config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the recipe's name and the overrides.

    Raises:
        RecipeError: a key is unknown or has no value, or there is no recipe.
    """
    for key, value in config.items():
        if key not in KNOWN:
            raise RecipeError(
                f"--config {shortened(str(key))}: unknown key; {did_you_mean(shortened(str(key)), KNOWN)}"
            )
        if value is None and key != "recipe":
            raise RecipeError(f"--config {key}=: the value is missing")
    recipe = config.get("recipe")
    if not recipe:
        raise RecipeError("no recipe given; for example: snakemake --config recipe=recipes/quickstart.yaml")
    return str(recipe), {key: value for key, value in config.items() if key != "recipe"}


def find_recipe(name: str, beside: Path) -> Path:
    """Return the recipe's file: from the working directory, or beside the Snakefile.

    Raises:
        RecipeError: it is in neither place; names the nearest one there is.
    """
    for folder in (Path(), beside):
        with contextlib.suppress(OSError, RuntimeError):  # a name too long, the home of nobody
            candidate = folder / Path(name).expanduser()
            if candidate.exists():
                return candidate
    known = [str(path.relative_to(beside)) for path in sorted(beside.glob("recipes/*.yaml"))]
    raise RecipeError(f"recipe {shortened(name)}: no such file; {did_you_mean(shortened(name), known)}")


def parse_override(text: str) -> tuple[str, Any]:
    """Return key and value of one `key=value`; numbers are read as YAML does, texts are taken as they stand.

    Raises:
        RecipeError: there is no `=` or no value, or the key is unknown.
    """
    key, equals, value = text.partition("=")
    if key not in Overrides.model_fields:
        raise RecipeError(
            f"--set {shortened(key)}: unknown key; {did_you_mean(shortened(key), Overrides.model_fields)}"
        )
    if not equals or not value:
        raise RecipeError(f"--set {key}: the value is missing; write --set {key}=...")
    return key, value if key in TEXTS else read_scalar(value)
