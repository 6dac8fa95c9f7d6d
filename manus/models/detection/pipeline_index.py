"""Decides which modalities a diffusers pipeline has, from the classes its `model_index.json` names.

Diffusers is not needed: its classes are told by the words they are made of (`WanTransformer3DModel`,
`SpeechT5HifiGan`, `UNetMotionModel`), its tasks by the words of the pipeline (`WanImageToVideoPipeline`).
Knows nothing of weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from manus.models.detection.modalities import Findings

_IMAGE = re.compile(r"UNet|(?<!Prior)Transformer|DiT|Autoencoder|VQ")
_VIDEO = re.compile(r"3D|Temporal|Motion|Video|I2V|T2V")
_AUDIO = re.compile(r"Audio|Hifi-?Gan|Vocoder|Oobleck|UNet1D|^Mel$", re.IGNORECASE)
_TASKS = (
    (re.compile(r"ToImage|T2I(?!Adapter)"), "vision_output"),
    (re.compile(r"ToVideo|[TIV]2V"), "video_output"),
    (re.compile(r"ImageTo|I2[IV]|Img2Img|Inpaint|Upscale|Pix2Pix|Edit|Kontext|Fill|ControlNet"), "vision"),
    (re.compile(r"VideoTo|V2V"), "video"),
)
_INPUT_SLOTS = (
    (re.compile(r"text_encoder|tokenizer"), "text"),
    (re.compile(r"image_encoder|vision_encoder|image_processor|controlnet"), "vision"),
    (re.compile(r"audio_encoder"), "audio_in"),
)


def pipeline_modalities(index: Mapping[str, Any]) -> Findings:
    """Return the modalities of a diffusers pipeline.

    A `feature_extractor` alone does not count as vision: in most pipelines it serves the safety checker.

    Args:
        index: the content of `model_index.json`
    """
    findings = Findings()
    components = list(_components(index))
    for slot, name in components:
        for pattern, modality in _INPUT_SLOTS:
            if pattern.match(slot):
                findings.add(modality, f"{slot} is {name}")
    task = _class_name(index)
    for pattern, modality in _TASKS:
        if pattern.search(task):
            findings.add(modality, f"the name of {task}")
    makers = [
        (slot, name) for slot, name in components if not re.search(r"encoder|processor|extractor", slot)
    ]
    for slot, name in makers:
        if _AUDIO.search(name):
            findings.add("audio_out", f"{slot} is {name}")
        if _VIDEO.search(name) and "vision_output" not in findings.reasons:
            findings.add("video_output", f"{slot} is {name}")
    if not {"audio_out", "video_output", "vision_output"} & set(findings.reasons):
        for slot, name in makers:
            if _IMAGE.search(name):
                findings.add("vision_output", f"{slot} is {name}")
    return findings


def _components(index: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the slots that are filled, each with the name of its class."""
    for slot, value in index.items():
        if not slot.startswith("_") and isinstance(value, list) and len(value) == 2 and value[1]:
            yield slot, str(value[1])


def _class_name(index: Mapping[str, Any]) -> str:
    name = index.get("_class_name")
    return str(name[-1] if isinstance(name, list) and name else name)
