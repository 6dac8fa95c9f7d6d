"""The kinds of encoders that work here, by their configuration's `model_type`. Imports no transformers."""

from __future__ import annotations

from dataclasses import dataclass

from manus.errors import nearest


@dataclass(frozen=True, slots=True)
class Family:
    """Which classes of transformers hold an encoder and prepare what it reads.

    A class reads its part of a larger model.
    """

    sense: str
    model: str
    preparer: str = ""  # codecs take sound as it is


SIGLIP = Family("vision", "SiglipVisionModel", "SiglipImageProcessorPil")
SIGLIP2 = Family("vision", "Siglip2VisionModel", "Siglip2ImageProcessorPil")
CLIP = Family("vision", "CLIPVisionModel", "CLIPImageProcessorPil")

FAMILIES = {
    "siglip": SIGLIP,
    "siglip_vision_model": SIGLIP,
    "siglip2": SIGLIP2,
    "siglip2_vision_model": SIGLIP2,
    "clip": CLIP,
    "clip_vision_model": CLIP,
    "dinov2": Family("vision", "Dinov2Model", "BitImageProcessorPil"),
    "dinov2_with_registers": Family("vision", "Dinov2WithRegistersModel", "BitImageProcessorPil"),
    "vit": Family("vision", "ViTModel", "ViTImageProcessorPil"),
    "whisper": Family("audio_input", "WhisperEncoder", "WhisperFeatureExtractor"),
    "mimi": Family("audio_output", "MimiModel"),
    "manus_mel_codec": Family("audio_output", "MelCodec"),
}


def why_unfit(sense: str, model_type: object) -> str | None:
    """Return why a model of some type cannot be the encoder of a sense, None where it can."""
    family = FAMILIES.get(str(model_type))
    known = [name for name, each in FAMILIES.items() if each.sense == sense]
    if family is not None and family.sense == sense:
        return None
    guess = nearest(str(model_type), known)
    fix = f"the nearest that is one is {guess!r}" if guess else f"use one of {', '.join(known)}"
    return f"its model_type {model_type!r} is no {sense} encoder that works here; {fix}"
