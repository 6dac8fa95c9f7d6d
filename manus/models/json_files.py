"""Reads the JSON files of a model's folder, which may be torn or of another kind. Knows not what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from manus.errors import ModelError, blamed_on

LARGEST_BYTES = 256 << 20  # of a configuration or an index; vocabularies are read by their own library


def read_object(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        ModelError: it is not there, is torn, or holds something else.
    """
    with blamed_on(f"{file} cannot be read", ModelError):
        if (size := file.stat().st_size) > LARGEST_BYTES:
            raise ModelError(f"{file} has {size:,} bytes; no configuration is that large")
        content = file.read_bytes()
    with blamed_on(f"{file} is not valid JSON", ModelError):
        value = json.loads(content.decode("utf-8"))
    if not isinstance(value, dict):
        raise ModelError(f"{file} holds no JSON object; expected the configuration of a model")
    return value
