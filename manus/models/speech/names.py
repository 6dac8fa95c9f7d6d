"""What speech is called in a model's folder. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

SPEECH, CODEC = "speech", "codec"  # folders in a model's folder
WEIGHTS, FACTS = "talker.safetensors", "talker.json"


def speaks(folder: Path) -> bool:
    """Tell whether the model in a folder has a talker beside it."""
    return (folder / SPEECH / FACTS).is_file()
