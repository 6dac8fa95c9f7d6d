"""How weights change: one file a method, found by its name. A new file here is a new `method:`.

`Method` is what such a file says. Heavy imports belong inside its `train`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from manus.data.sample import SampleKind
from manus.discovery import Contract, discovered
from manus.training.settings import Result, TrainingSettings
from manus.training.stage_job import StageJob


@dataclass(frozen=True, eq=False, kw_only=True)
class Method(Contract):
    """What a file in this folder says of itself.

    VERSION: raised when the same settings give other weights.
    SAMPLE_KINDS: the kinds of sample it trains on, the usual one first.
    Settings: what a recipe may set, with defaults.
    result: what it leaves in the stage's folder, given its settings.
    train: trains a stage and returns its metrics.

    It may say more. TAKES_MEDIA: whether its batches may hold images, video and sound. NEEDS_SENSES: whether
    it trains what only a model with encoders has. DEFAULT_DATA: the source that a stage gets which names
    none, where the capability's own would not do.
    """

    VERSION: int
    SAMPLE_KINDS: tuple[SampleKind, ...]
    Settings: type[TrainingSettings]
    result: Callable[[Any], Result]
    train: Callable[[StageJob], dict[str, Any]]
    TAKES_MEDIA: bool = False
    NEEDS_SENSES: bool = False
    DEFAULT_DATA: dict[str, Any] | None = None


def known_methods() -> Mapping[str, Method]:
    """Return the methods by public name."""
    return discovered("manus.methods", Method)
