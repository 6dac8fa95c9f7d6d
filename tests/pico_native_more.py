"""More pico bases that see by themselves: families whose processors treat large pictures otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AyaVisionConfig,
    AyaVisionForConditionalGeneration,
    AyaVisionProcessor,
    GotOcr2ImageProcessorPil,
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessorPil,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from tests.pico_native import ALL, PATCH, SEEN, SIDE, TEMPLATE, saved, text_config, tokenizer

ONE_SIZE = {"height": SIDE, "width": SIDE}


def qwen3_vl(folder: Path) -> Path:
    """Save a Qwen3-VL: several layers of its encoder reach the language model, each by a projector."""
    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<|vision_pad|>")
    tokens = tokenizer(TEMPLATE.replace("MARK", "<|vision_start|><|image_pad|><|vision_end|>"), *marks)
    start, end, image, video, _ = tokens.convert_tokens_to_ids(list(marks))
    rope = {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "mrope_section": [2, 3, 3],
        "mrope_interleaved": True,
    }
    config = Qwen3VLConfig(
        text_config=text_config(tokens, head_dim=16, rope_parameters=rope),
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "out_hidden_size": 64,
            "num_heads": 2,
            "patch_size": PATCH,
            "deepstack_visual_indexes": [0],
            "num_position_embeddings": 16,
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
        tie_word_embeddings=True,
    )
    pictures = Qwen2VLImageProcessorPil(
        patch_size=PATCH,
        size={"shortest_edge": 16 * 16, "longest_edge": 48 * 48},
        merge_size=2,
        temporal_patch_size=2,
    )
    return _in_parts(Qwen3VLForConditionalGeneration(config), tokens, pictures, folder)


def internvl(folder: Path) -> Path:
    """Save an InternVL: pictures are cut into as many tiles as their shape asks for."""
    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokens = tokenizer(TEMPLATE.replace("MARK", "<IMG_CONTEXT>"), **named)
    config = InternVLConfig(
        text_config={"model_type": "qwen2", **text_config(tokens)},
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [SIDE, SIDE],
            "patch_size": [PATCH, PATCH],
        },
        image_token_id=tokens.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        downsample_ratio=0.5,
        tie_word_embeddings=True,
    )
    pictures = GotOcr2ImageProcessorPil(size=ONE_SIZE, crop_to_patches=True, max_patches=4)
    own = {"processor_class": "InternVLProcessor", "image_seq_length": 4}
    return _in_parts(InternVLForConditionalGeneration(config), tokens, pictures, folder, own)


def llava_onevision(folder: Path) -> Path:
    """Save a LLaVA-OneVision: a picture alone is seen in crops, several are not."""
    tokens = tokenizer(TEMPLATE.replace("MARK", "<image>"), "<image>", "<video>")
    image, video = tokens.convert_tokens_to_ids(["<image>", "<video>"])
    pinpoints = [[SIDE, SIDE], [SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
    config = LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **text_config(tokens)},
        vision_config={"model_type": "siglip_vision_model", **SEEN},
        image_token_id=image,
        video_token_id=video,
        image_grid_pinpoints=pinpoints,
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )
    pictures = LlavaOnevisionImageProcessorPil(size=ONE_SIZE, image_grid_pinpoints=pinpoints)
    own = {
        "processor_class": "LlavaOnevisionProcessor",
        "num_image_tokens": 16,
        "vision_feature_select_strategy": "full",
    }
    return _in_parts(LlavaOnevisionForConditionalGeneration(config), tokens, pictures, folder, own)


def aya_vision(folder: Path) -> Path:
    """Save an Aya Vision: its template has another placeholder than the text that grows from it."""
    marks = (
        "<|START_OF_IMG|>",
        "<|END_OF_IMG|>",
        "<|IMG_LINE_BREAK|>",
        "TILE",
        "TILE_GLOBAL",
        "<|IMG_PATCH|>",
    )
    tokens = tokenizer(TEMPLATE.replace("MARK", "<image>"), *marks, image_token="<image>")
    config = AyaVisionConfig(
        text_config={"model_type": "cohere2", **text_config(tokens, head_dim=16)},
        vision_config={"model_type": "siglip_vision_model", **SEEN},
        downsample_factor=2,
        vision_feature_layer=-1,
        image_token_index=tokens.convert_tokens_to_ids("<|IMG_PATCH|>"),
        tie_word_embeddings=True,
    )
    pictures = GotOcr2ImageProcessorPil(size=ONE_SIZE, crop_to_patches=True, max_patches=4)
    processor = AyaVisionProcessor(
        pictures,
        tokens,
        patch_size=PATCH,
        img_size=SIDE,
        downsample_factor=2,
        chat_template=tokens.chat_template,
    )
    return saved(AyaVisionForConditionalGeneration(config), processor, folder)


def _in_parts(
    model: Any, tokens: Any, pictures: Any, folder: Path, own: dict[str, Any] | None = None
) -> Path:
    """Save a base whose processor transformers makes only with torchvision: its parts one by one."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in (model, tokens, pictures):
        part.save_pretrained(folder)
    if own is not None:
        (folder / "processor_config.json").write_text(json.dumps(own), encoding="utf-8")
    return folder


EVERY: dict[str, Callable[[Path], Path]] = {
    **ALL,
    "qwen3_vl": qwen3_vl,
    "internvl": internvl,
    "llava_onevision": llava_onevision,
    "aya_vision": aya_vision,
}


def made(family: str, folder: Path, seed: int = 0) -> Path:
    """Save the base of a family, with random weights."""
    torch.manual_seed(seed)
    return EVERY[family](folder)
