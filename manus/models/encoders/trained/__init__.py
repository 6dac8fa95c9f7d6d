"""Encoders that a recipe trains by itself, one file each, found by its name: `trained:NAME`.

The planning half imports them: torch is imported by the job alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from manus.discovery import Contract, discovered


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedEncoder(Contract):
    """What a file in this folder says of itself.

    VERSION: raised when the same seed gives other weights.
    SENSE: which sense it serves.
    MODEL_TYPE: a family of `families.py`.
    identity: what else its weights depend on, beside the seed.
    train: trains with a seed in a working folder; returns the model, its preparer and metrics.
    """

    VERSION: int
    SENSE: Literal["vision", "audio_input", "audio_output"]
    MODEL_TYPE: str
    identity: Callable[[], dict[str, Any]]
    train: Callable[[int, Path], tuple[Any, Any, dict[str, Any]]]


def known_trained() -> Mapping[str, TrainedEncoder]:
    """Return the encoders by public name."""
    return discovered("manus.models.encoders.trained", TrainedEncoder)
