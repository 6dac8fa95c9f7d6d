"""Finds the sizes of a model's text part in its configuration. Knows nothing of modalities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manus.models.detection import transformers_source

# Where composite configurations keep their text part: as in PreTrainedConfig.get_text_config and Qwen-Omni's
# override.
_TEXT_SLOTS = ("thinker_config", "text_config", "decoder", "generator", "text_encoder")
_POSITIONS = ("max_position_embeddings", "max_target_positions", "max_seq_len")


@dataclass(frozen=True)
class TextFacts:
    """Sizes of the part that works on tokens; None where the configuration does not say."""

    hidden_size: int | None = None
    vocab_size: int | None = None
    max_positions: int | None = None
    layers: int | None = None


def text_facts(config: Mapping[str, Any]) -> TextFacts:
    """Return the sizes of the text part of a configuration, with transformers' defaults where it has none."""
    part = _text_part(config)
    positions = (_value(part, name) for name in _POSITIONS)
    return TextFacts(
        hidden_size=_value(part, "hidden_size"),
        vocab_size=_value(part, "vocab_size"),
        max_positions=next((value for value in positions if value is not None), None),
        layers=_value(part, "num_hidden_layers"),
    )


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    model_type = str(config.get("model_type"))
    known = model_type in transformers_source.model_types()
    defaults = (
        {part.slot: part.model_type for part in transformers_source.sub_configs(model_type)} if known else {}
    )
    for slot in _TEXT_SLOTS:
        given = config.get(slot)
        if isinstance(given, Mapping) or (given is None and defaults.get(slot)):
            return _text_part({"model_type": defaults.get(slot), **(given or {})})
    return config


def _value(config: Mapping[str, Any], name: str) -> int | None:
    """Return a number under transformers' common name for it, or under the name in this configuration."""
    model_type = str(config.get("model_type"))
    source = (
        transformers_source.config_class(model_type)
        if model_type in transformers_source.model_types()
        else None
    )
    own = (source.literal("attribute_map") or {}).get(name, name) if source else name
    for value in (config.get(own), config.get(name), source.literal(own) if source else None):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
