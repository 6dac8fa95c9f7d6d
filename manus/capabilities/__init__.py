"""What is gained: one file a capability, found by its name. A new file here is a new entry for recipes.

`Capability` is what such a file says. Its docstring describes the format that is taught; docs/RECIPES.md
shows it. A file with `TRAINS = "nothing"` says what a `Feature` does: the merged model does it at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from manus.data.sample import Row, Sample, SampleKind
from manus.discovery import Contract, discovered
from manus.models.senses.settings import SensesSettings
from manus.models.speech.settings import VoiceSettings
from manus.scorers.score import Score
from manus.settings.frozen import Frozen

Modality = Literal["text", "vision", "video", "audio_in", "audio_out", "vision_output", "video_output"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Capability(Contract):
    """What a file in this folder says of itself.

    VERSION: raised when the same data give other samples or scores.
    MODALITIES: what the base must be able to take in or give out.
    SAMPLE_KINDS: the kinds of sample that its data can become.
    DEFAULT_DATA: the source used when a recipe names none.
    GENERATOR: the named generator of its offline data; None: the user's own rows.
    METRIC: what its probe measures: a share between 0 and 1, or one of `manus.scorers.metrics`.
    Settings: what a recipe may set under `probe:`.
    read: makes a row of data a sample, in the format that is taught; raises RowError.
    can_score: tells whether a sample's answer can be told right or wrong; where none can, its answers' nats
    are measured. score: the verifier of a sample and a completion; where it has a third parameter `settings`,
    the probe's Settings.

    It may say more. ABLATIONS: what cuts the sense off, by the name in reports: a kind of
    `manus.data.media.ablation`. HURT_LEVELS: for an ablation that only some levels feel, how the names of
    those begin. PROBE: "retrieval" where the probe is `manus.evaluation.retrieval` and not an answer.
    DEFAULT_METHOD: the method that it asks for by itself, whatever the recipe's defaults are; ONLY_METHODS:
    those that can train it. Senses: what a stage may say of encoders, where it is the one that adds senses.
    Voice: what a stage may say of the talker that it trains, where it learns from speech.
    """

    VERSION: int
    MODALITIES: tuple[Modality, ...]
    SAMPLE_KINDS: tuple[SampleKind, ...]
    DEFAULT_DATA: dict[str, Any]
    GENERATOR: str | None
    METRIC: str
    Settings: type[Frozen]
    read: Callable[[Row], Sample]
    can_score: Callable[[Sample], bool]
    score: Callable[..., Score]
    ABLATIONS: Mapping[str, str] = field(default_factory=dict)
    HURT_LEVELS: Mapping[str, str] = field(default_factory=dict)
    PROBE: Literal["answers", "retrieval"] = "answers"
    DEFAULT_METHOD: str | None = None
    ONLY_METHODS: tuple[str, ...] | None = None
    Senses: type[SensesSettings] | None = None
    Voice: type[VoiceSettings] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Feature(Contract):
    """What a file in this folder says of a capability that trains nothing.

    VERSION: raised when the same model is measured otherwise.
    TRAINS: "nothing", which tells such a file from the others.
    GATES: the limits of a gate that can hold it.
    Settings: what a recipe may set under `probe:`.
    """

    VERSION: int
    TRAINS: Literal["nothing"]
    GATES: tuple[str, ...]
    Settings: type[Frozen]


PLANNED = ("tri-streaming", "image-generation", "video-generation")
GROUPS = {"all_text": ("cot", "reasoning", "thinking", "tools", "streaming")}


def known_capabilities() -> Mapping[str, Capability]:
    """Return the capabilities that train, by public name."""
    return discovered("manus.capabilities", Capability, _trains)


def known_features() -> Mapping[str, Feature]:
    """Return the capabilities that train nothing, by public name."""
    return discovered("manus.capabilities", Feature, _trains_nothing)


def _trains(module: ModuleType) -> bool:
    return not _trains_nothing(module)


def _trains_nothing(module: ModuleType) -> bool:
    return hasattr(module, "TRAINS")
