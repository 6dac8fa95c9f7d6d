"""Decides which modalities a transformers configuration has, and says what each answer rests on.

A modality is true when the model takes it in or gives it out:

| name | true when the model |
|---|---|
| text | reads or writes tokens of text (so text encoders and speech synthesis have it, not only language
models) |
| vision | takes images in |
| audio_in | takes sound in |
| audio_out | gives sound out, as a waveform, a spectrogram or the codes of a codec |
| video | takes moving pictures in |
| vision_output | gives images out |
| video_output | gives moving pictures out |

The answers come from what transformers' model classes declare (`input_modalities`, `output_modalities`,
`main_input_name`), from what they inherit (`GenerationMixin`), from the tables that list them, from the
processors' parts and from the sub-configurations that are there. Knows nothing of folders, weights or other
libraries.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from manus.models.detection import transformers_source
from manus.models.detection.class_modalities import class_inputs, class_outputs, generates
from manus.models.detection.source_class import SourceClass

MODALITIES = ("text", "vision", "audio_in", "audio_out", "video", "vision_output", "video_output")

OMNI = "manus_omni"  # the model_type of our own checkpoints

_IN = {"text": "text", "image": "vision", "video": "video", "audio": "audio_in"}
_PROCESSOR_PARTS = {"tokenizer": "text", "image_processor": "image", "feature_extractor": "audio"}
_OUT = {"text": "text", "image": "vision_output", "video": "video_output", "audio": "audio_out"}


@dataclass
class Findings:
    """What is found of a model so far: each modality with reasons, and whether it is a language model."""

    reasons: dict[str, list[str]] = field(default_factory=dict)
    language_model: bool = False
    other_inputs: set[str] = field(default_factory=set)

    def add(self, modality: str, reason: str) -> None:
        """Note a reason for a modality, once."""
        known = self.reasons.setdefault(modality, [])
        if reason not in known:
            known.append(reason)

    def rename(self, modality: str, other: str) -> None:
        """Count the reasons for one modality as reasons for another."""
        for reason in self.reasons.pop(modality, []):
            self.add(other, reason)

    def drop(self, modality: str) -> None:
        """Take a modality back."""
        self.reasons.pop(modality, None)


def transformers_modalities(config: Mapping[str, Any]) -> Findings:
    """Return the modalities of a configuration whose `model_type` transformers knows.

    `architectures` narrows the answer to the classes the checkpoint was saved from; without it, every class
    that can be made from the configuration counts.
    """
    findings = _said_by_classes(config)
    _apply_parts(findings, config)
    if not findings.reasons and not findings.other_inputs:
        _add_owners(findings, config["model_type"])
    return findings


def omni_modalities(config: Mapping[str, Any]) -> Findings:
    """Return the modalities of one of our own checkpoints: those whose sub-configuration is there."""
    findings = Findings(language_model=True)
    parts = {
        "text_config": "text",
        "vision_config": "vision",
        "audio_config": "audio_in",
        "talker_config": "audio_out",
        "vision_output_config": "vision_output",
        "video_output_config": "video_output",
    }
    for slot, modality in parts.items():
        if config.get(slot) is not None:
            findings.add(modality, f"{slot} of {OMNI}")
    if "vision" in findings.reasons and config.get("video_token_id") is not None:
        findings.add("video", f"vision_config and video_token_id of {OMNI}")
    return findings


def _said_by_classes(config: Mapping[str, Any]) -> Findings:
    model_type = config["model_type"]
    findings = Findings()
    for name, listed in _classes(config).items():
        source = transformers_source.model_class(name, model_type)
        if source is not None:
            _add_class(findings, source, listed, model_type)
    if any("VIDEO_CLASSIFICATION" in table for tables in _classes(config).values() for table in tables):
        findings.rename("vision", "video")
    _add_processor(findings, model_type)
    return findings


@functools.cache
def _of_type(model_type: str) -> frozenset[str]:
    return frozenset(_said_by_classes({"model_type": model_type}).reasons)


def _classes(config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the model classes that count, each with the tables that list it."""
    model_type = config["model_type"]
    listed = transformers_source.filed_under(model_type)
    saved = {
        name: listed.get(name, ())
        for name in config.get("architectures") or ()
        if transformers_source.model_class(name, model_type) is not None
    }
    if saved:
        return saved
    word = "GenerationMixin" if listed else ""
    return dict.fromkeys(transformers_source.configured_classes(model_type, word), ()) | listed


def _add_class(findings: Findings, source: SourceClass, listed: tuple[str, ...], model_type: str) -> None:
    inputs = class_inputs(source, model_type)
    outputs, why = class_outputs(source, listed, tuple(inputs))
    for name, reason in inputs.items():
        if name in _IN:
            findings.add(_IN[name], reason)
        else:
            findings.other_inputs.add(name)
    for name in outputs:
        findings.add(_OUT[name], why)
    prompted = "input_ids" in (source.parameters("forward", "generate") or ())
    if "text" in inputs and "text" in outputs and prompted and generates(source):
        findings.language_model = True


def _add_processor(findings: Findings, model_type: str) -> None:
    """Add what only the processor tells: frames going in as images, voices as codes, borrowed models."""
    name, parts = transformers_source.processor_parts(model_type)
    is_for_video = model_type in transformers_source.tables()["VIDEO_PROCESSOR_MAPPING_NAMES"]
    if "vision" in findings.reasons and "video_processor" in parts and is_for_video:
        findings.add("video", f"{name} has a video_processor")
    if "audio_out" in findings.reasons and "audio_tokenizer" in parts:
        findings.add("audio_in", f"{name} has an audio_tokenizer, for a voice to speak with")
    if not findings.reasons:
        for part in set(parts) & set(_PROCESSOR_PARTS):
            findings.add(_IN[_PROCESSOR_PARTS[part]], f"{name} has a {part}")


def _add_owners(findings: Findings, model_type: str) -> None:
    """Add what the whole takes in, for a part (a mask decoder) that transformers has no model class for."""
    for owner, slot in transformers_source.owners(model_type):
        whole = _of_type(owner) & set(_IN.values())
        for modality in {
            _IN[name] for name in _IN if name in slot.replace("vision", "image")
        } & whole or whole:
            findings.add(modality, f"{slot} of {owner}")


def _apply_parts(findings: Findings, config: Mapping[str, Any]) -> None:
    """Add the sub-configurations as reasons; take back what rests on parts this checkpoint leaves out."""
    present: set[str] = set()
    absent: set[str] = set()
    for part in transformers_source.sub_configs(config["model_type"]):
        given = config.get(part.slot)
        part_type = (given if isinstance(given, Mapping) else {}).get("model_type") or part.model_type
        if part_type not in transformers_source.model_types():
            continue
        modalities = _of_type(part_type)
        if given is None and (part.optional or part.slot in config):
            absent |= modalities
            continue
        present |= modalities
        for modality in modalities & set(findings.reasons):
            findings.add(modality, f"{part.slot} ({part_type}) of {config['model_type']}")
    if present:
        for modality in absent - present:
            findings.drop(modality)
    for key, value in config.items():
        switch = re.fullmatch(r"enable_(\w+)_output", key)
        if switch and value is False:
            findings.drop(_OUT.get(switch[1], ""))
