"""Reads what is used here of a model folder's `generation_config.json`. Knows not how texts are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manus.errors import ModelError
from manus.models.json_files import read_object

GENERATION = "generation_config.json"


def generation_settings(folder: Path) -> dict[str, Any]:
    """Return all that it says; nothing where there is none.

    Raises:
        ModelError: it is torn, or what ends a text is no token.
    """
    file = folder / GENERATION
    settings = read_object(file) if file.is_file() else {}
    if not all(isinstance(token, int) for token in _ends(settings)):
        raise ModelError(f"{file}: eos_token_id must be the number of a token, or a list of them")
    return settings


def ends_of_texts(settings: dict[str, Any]) -> list[int]:
    """Return the tokens that end a text, as these settings say."""
    return list(_ends(settings))


def _ends(settings: dict[str, Any]) -> list[Any]:
    known = settings.get("eos_token_id")
    return known if isinstance(known, list) else [token for token in [known] if token is not None]
