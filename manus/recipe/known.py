"""What capabilities, methods and generators there are, and what they say of each other."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from manus.capabilities import known_capabilities, known_features
from manus.data.generators import known_generators
from manus.data.sample import SampleKind
from manus.data.settings import DataSettings
from manus.methods import known_methods
from manus.models.senses.settings import SensesSettings
from manus.models.speech.settings import VoiceSettings

CAPABILITIES = known_capabilities()
FEATURES = known_features()
METHODS = known_methods()
GENERATORS = known_generators()
DEFAULT_METHOD = "lora"
Mismatch = Literal["projectors only", "text alone", "no senses"]


def shared_kind(capability: str, method: str) -> SampleKind | None:
    """Return the sample kind that a capability can give and a method can use, or None."""
    if mismatch(capability, method) is not None:
        return None
    offered = CAPABILITIES[capability].SAMPLE_KINDS
    return next((kind for kind in METHODS[method].SAMPLE_KINDS if kind in offered), None)


def has_senses(capability: str) -> bool:
    """Return whether a capability's samples hold images, video or sound."""
    says_more = (senses_model(capability), voice_model(capability)) != (None, None)
    return CAPABILITIES[capability].MODALITIES != ("text",) or says_more


def mismatch(capability: str, method: str) -> Mismatch | None:
    """Return what of a method does not fit a capability, whatever the samples are."""
    only = CAPABILITIES[capability].ONLY_METHODS
    if only is not None and method not in only:
        return "projectors only"
    if has_senses(capability) and not METHODS[method].TAKES_MEDIA:
        return "text alone"
    if not has_senses(capability) and METHODS[method].NEEDS_SENSES:
        return "no senses"
    return None


def default_method(capability: str) -> str | None:
    """Return the method that a capability asks for by itself, whatever the recipe's defaults are."""
    return CAPABILITIES[capability].DEFAULT_METHOD


def senses_model(capability: str) -> type[SensesSettings] | None:
    """Return what a stage may say of encoders, where it is the one that adds senses."""
    return CAPABILITIES[capability].Senses


def voice_model(capability: str) -> type[VoiceSettings] | None:
    """Return what a stage may say of the talker that it trains, where it learns from speech."""
    return CAPABILITIES[capability].Voice


def models_with(key: str) -> list[type[BaseModel]]:
    """Return the settings models that know a stage's key: of its data and of each method."""
    models: list[type[BaseModel]] = [DataSettings, *(method.Settings for method in METHODS.values())]
    return [model for model in models if key in model.model_fields]


def stage_keys() -> list[str]:
    """Return all keys that some stage can have beside those of `StageHeader`."""
    models: list[type[BaseModel]] = [DataSettings, *(method.Settings for method in METHODS.values())]
    said = [model for name in CAPABILITIES for model in (senses_model(name), voice_model(name))]
    models += [model for model in said if model is not None]
    return list(dict.fromkeys(key for model in models for key in model.model_fields))
