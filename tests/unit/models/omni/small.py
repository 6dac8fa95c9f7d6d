"""Small text models, encoders and omni checkpoints, all from configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    BitImageProcessorPil,
    CLIPImageProcessorPil,
    PreTrainedTokenizerFast,
    Siglip2ImageProcessorPil,
    SiglipImageProcessorPil,
    ViTImageProcessorPil,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from manus.models.omni.conversion import assemble
from manus.models.omni.settings import OmniSettings
from tests.seeds import SEED

VOCABULARY = 300
SIDE, PATCH = 32, 8
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 1,
}
TEXT: dict[str, dict[str, Any]] = {
    "llama": {"tie_word_embeddings": True},
    "qwen2": {"tie_word_embeddings": False},
    "qwen3": {"head_dim": 8, "tie_word_embeddings": True},
    "gemma2": {"head_dim": 8},
    "gemma3_text": {"head_dim": 8},
    "phi3": {},
    "mistral": {},
    "gpt_neox": {"tie_word_embeddings": False},
    "olmo2": {},
    "stablelm": {},
}
SEEN = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
}
VISION: dict[str, tuple[dict[str, Any], Any]] = {
    "siglip_vision_model": ({}, lambda: SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})),
    "clip_vision_model": (
        {},
        lambda: CLIPImageProcessorPil(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        ),
    ),
    "dinov2_with_registers": (
        {"image_size": 64, "num_register_tokens": 3},
        lambda: BitImageProcessorPil(size={"shortest_edge": 40}, crop_size={"height": SIDE, "width": SIDE}),
    ),
    "dinov2": (
        {"image_size": 64},
        lambda: BitImageProcessorPil(size={"shortest_edge": 40}, crop_size={"height": 24, "width": 40}),
    ),
    "vit": ({}, lambda: ViTImageProcessorPil(size={"height": SIDE, "width": SIDE})),
    "siglip2_vision_model": (
        {"num_patches": 16},
        lambda: Siglip2ImageProcessorPil(patch_size=PATCH, max_num_patches=12),
    ),
}


def tokenizer() -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_end|>", "<|im_start|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=280, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(["what do you see", "user\n", "assistant\n"] * 9, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=TEMPLATE,
        padding_side="left",
    )


def text_model(family: str, folder: Path, seed: int = SEED, **changes: Any) -> Path:
    torch.manual_seed(seed)
    config = AutoConfig.for_model(family, **{**SIZES, **TEXT[family], **changes})
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def vision_encoder(kind: str, folder: Path, **changes: Any) -> Path:
    sizes, processor = VISION[kind]
    torch.manual_seed(SEED + 1)
    AutoModel.from_config(AutoConfig.for_model(kind, **{**SEEN, **sizes, **changes})).save_pretrained(folder)
    processor().save_pretrained(folder)
    return folder


def whisper(folder: Path, positions: int = 100) -> Path:
    torch.manual_seed(SEED + 2)
    config = WhisperConfig(
        d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=80, max_source_positions=positions,
        vocab_size=64, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        max_target_positions=16,
        init_std=0.3,
    )  # fmt: skip
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder


def omni(base: Path, out: Path, vision: Path | None, audio: Path | None, **changes: Any) -> Path:
    settings = OmniSettings(**{"most_frames": 3, "frames_per_second": 2.0, **changes.pop("settings", {})})
    assemble(base, out, vision, audio, settings, **changes)
    return out


def picture(seed: int = 0, width: int = 40, height: int = 24) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def film(seed: int = 0, frames: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (frames, 24, 40, 3), dtype=np.uint8)


def sound(seed: int = 0, seconds: float = 0.7) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * 16_000))
    return (0.1 * noise).astype(np.float32)
