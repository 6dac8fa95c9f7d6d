"""Pico bases that see or hear: transformers' own families from small configurations, with processors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessorPil,
    WhisperFeatureExtractor,
)

from tests.pico import tokenizer as words

SIDE, PATCH = 32, 8
PARTS = (
    "{%- for part in m['content'] -%}{%- if part['type'] == 'text' -%}{{ part['text'] }}"
    "{%- else -%}MARK{%- endif -%}{%- endfor -%}"
)
TEMPLATE = (
    "{%- for m in messages -%}<|im_start|>{{ m['role'] + '\n' }}"
    "{%- if m['content'] is string -%}{{ m['content'] }}{%- else -%}"
    + PARTS
    + "{%- endif -%}<|im_end|>{{ '\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}<|im_start|>{{ 'assistant\n' }}{%- endif -%}"
)
ONLY_PARTS = TEMPLATE.replace("{%- if m['content'] is string -%}{{ m['content'] }}{%- else -%}", "").replace(
    PARTS + "{%- endif -%}", PARTS
)  # as many published ones: of a string it would write nothing
TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": None,
    "tie_word_embeddings": True,
    "initializer_range": 0.2,
}
SEEN = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
}


def tokenizer(template: str, *special: str, **named: str) -> PreTrainedTokenizerFast:
    """Return the pico tokenizer with more special tokens, some of them by name."""
    base = words()
    made = PreTrainedTokenizerFast(
        tokenizer_object=base.backend_tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=named,
    )
    made.add_tokens([*special], special_tokens=True)
    made.chat_template = template
    return made


def text_config(tokens: PreTrainedTokenizerFast, **more: Any) -> dict[str, Any]:
    """Return the sizes of a language model for a tokenizer."""
    return {
        **TEXT,
        "vocab_size": len(tokens),
        "eos_token_id": tokens.eos_token_id,
        "pad_token_id": tokens.pad_token_id,
        **more,
    }


def llava(folder: Path, base: Path | None = None) -> Path:
    """Save a LLaVA: CLIP and Llama, a fixed number of tokens for a picture.

    Its words are those of a pico base, if given.
    """
    tokens = tokenizer(ONLY_PARTS.replace("MARK", "<image>"), "<image>")
    mark = tokens.convert_tokens_to_ids("<image>")
    text = LlamaConfig(**text_config(tokens)) if base is None else LlamaConfig.from_pretrained(base)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**SEEN),
        text_config=text,
        image_token_id=mark,
        image_seq_length=16,
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor = LlavaProcessor(
        pictures,
        tokens,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokens.chat_template,
    )
    return saved(_speaking(LlavaForConditionalGeneration(config), base, len(tokens)), processor, folder)


def qwen2_vl(folder: Path) -> Path:
    """Save a Qwen2-VL: as many tokens as a picture has patches, positions in three directions."""
    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<|vision_pad|>")
    tokens = tokenizer(TEMPLATE.replace("MARK", "<|vision_start|><|image_pad|><|vision_end|>"), *marks)
    start, end, image, video, _ = tokens.convert_tokens_to_ids(list(marks))
    config = Qwen2VLConfig(
        text_config=text_config(
            tokens,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
        ),
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 64,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": PATCH,
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
    folder.mkdir(parents=True, exist_ok=True)
    Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    tokens.save_pretrained(folder)
    pictures.save_pretrained(folder)  # its processor needs torchvision for a part that films need
    return folder


def qwen2_5_vl(folder: Path) -> Path:
    """Save a Qwen2.5-VL: windows of patches see each other."""
    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<|vision_pad|>")
    tokens = tokenizer(TEMPLATE.replace("MARK", "<|vision_start|><|image_pad|><|vision_end|>"), *marks)
    start, end, image, video, _ = tokens.convert_tokens_to_ids(list(marks))
    config = Qwen2_5_VLConfig(
        text_config=text_config(
            tokens,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
        ),
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "out_hidden_size": 64,
            "num_heads": 2,
            "patch_size": PATCH,
            "window_size": 32,
            "fullatt_block_indexes": [1],
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
    folder.mkdir(parents=True, exist_ok=True)
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    tokens.save_pretrained(folder)
    pictures.save_pretrained(folder)
    return folder


def llava_next(folder: Path) -> Path:
    """Save a LLaVA-NeXT: as many crops as a picture's shape asks for, batches padded to the most."""
    tokens = tokenizer(ONLY_PARTS.replace("MARK", "<image>"), "<image>")
    pinpoints = [[SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(**SEEN),
        text_config=LlamaConfig(**text_config(tokens)),
        image_token_id=tokens.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=pinpoints,
        vision_feature_layer=-1,
        image_seq_length=16,
        tie_word_embeddings=True,
    )
    pictures = LlavaNextImageProcessorPil(
        size={"shortest_edge": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        image_grid_pinpoints=pinpoints,
    )
    processor = LlavaNextProcessor(
        pictures,
        tokens,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokens.chat_template,
    )
    return saved(LlavaNextForConditionalGeneration(config), processor, folder)


def smolvlm(folder: Path) -> Path:
    """Save a SmolVLM: an Idefics 3 whose processor has a part for videos."""
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    named = {
        "fake_image_token": "<fake_token_around_image>",
        "image_token": "<image>",
        "end_of_utterance_token": "<end_of_utterance>",
        "global_image_token": "<global-img>",
    }
    tokens = tokenizer(ONLY_PARTS.replace("MARK", "<image>"), *tiles, **named)
    config = SmolVLMConfig(
        vision_config=SEEN,
        text_config={"model_type": "llama", **text_config(tokens)},
        scale_factor=2,
        image_token_id=tokens.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=True,
        pad_token_id=tokens.pad_token_id,
    )
    pictures = SmolVLMImageProcessorPil(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}, do_image_splitting=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    tokens.save_pretrained(folder)
    pictures.save_pretrained(folder)
    (folder / "processor_config.json").write_text(
        json.dumps({"processor_class": "SmolVLMProcessor", "image_seq_len": 4}), encoding="utf-8"
    )
    return folder


def idefics3(folder: Path) -> Path:
    """Save an Idefics 3, as SmolVLM is one: large pictures are cut into tiles between rows of text."""
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    marks = ("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *tiles)
    tokens = tokenizer(ONLY_PARTS.replace("MARK", "<image>"), *marks)
    config = Idefics3Config(
        vision_config=SEEN,
        text_config={"model_type": "llama", **text_config(tokens)},
        scale_factor=2,
        image_token_id=tokens.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=True,
        pad_token_id=tokens.pad_token_id,
    )
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}, do_image_splitting=True
    )
    processor = Idefics3Processor(pictures, tokens, image_seq_len=4, chat_template=tokens.chat_template)
    return saved(Idefics3ForConditionalGeneration(config), processor, folder)


def gemma3(folder: Path) -> Path:
    """Save a Gemma 3: a picture's tokens see each other, sliding windows, newlines around pictures."""
    named = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    tokens = tokenizer(TEMPLATE.replace("MARK", "<start_of_image>"), **named)
    begin, end, image = tokens.convert_tokens_to_ids([*named.values()])
    config = Gemma3Config(
        text_config=text_config(
            tokens, head_dim=16, sliding_window=64, layer_types=["sliding_attention", "full_attention"]
        ),
        vision_config=SEEN,
        mm_tokens_per_image=4,
        boi_token_index=begin,
        eoi_token_index=end,
        image_token_index=image,
        tie_word_embeddings=True,
    )
    pictures = Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE})
    processor = Gemma3Processor(pictures, tokens, image_seq_length=4, chat_template=tokens.chat_template)
    model = Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(
        model.model.multi_modal_projector.mm_input_projection_weight, std=0.2
    )  # zeros: it would be blind
    return saved(model, processor, folder)


def qwen2_audio(folder: Path, base: Path | None = None) -> Path:
    """Save a Qwen2-Audio: a Whisper encoder, and a token for every 40 milliseconds.

    Its words are those of a pico base, if given.
    """
    marks = ("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
    tokens = tokenizer(TEMPLATE.replace("MARK", "<|audio_bos|><|AUDIO|><|audio_eos|>"), *marks)
    text: Any = (
        {"model_type": "qwen2", **text_config(tokens)} if base is None else LlamaConfig.from_pretrained(base)
    )
    config = Qwen2AudioConfig(
        audio_config={
            "d_model": 32,
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "num_mel_bins": 40,
            "max_source_positions": 200,
        },
        text_config=text,
        audio_token_index=tokens.convert_tokens_to_ids(marks[0]),
        tie_word_embeddings=True,
    )
    sounds = WhisperFeatureExtractor(feature_size=40, chunk_length=4)
    processor = Qwen2AudioProcessor(sounds, tokens, chat_template=tokens.chat_template)
    return saved(_speaking(Qwen2AudioForConditionalGeneration(config), base, len(tokens)), processor, folder)


def _speaking(model: Any, base: Path | None, vocabulary: int) -> Any:
    """Return a model with the language model of a pico base, if any, with room for more tokens."""
    if base is not None:
        own = LlamaForCausalLM.from_pretrained(base)
        model.model.language_model.load_state_dict(own.model.state_dict())
        model.resize_token_embeddings(vocabulary, mean_resizing=False)
    return model


def saved(model: Any, processor: Any, folder: Path) -> Path:
    """Save a model with its processor; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


SEEING: dict[str, Callable[[Path], Path]] = {
    "llava": llava,
    "llava_next": llava_next,
    "qwen2_vl": qwen2_vl,
    "qwen2_5_vl": qwen2_5_vl,
    "idefics3": idefics3,
    "smolvlm": smolvlm,
    "gemma3": gemma3,
}
ALL = {**SEEING, "qwen2_audio": qwen2_audio}


def made(family: str, folder: Path, seed: int = 0) -> Path:
    """Save the base of a family, with random weights."""
    torch.manual_seed(seed)
    return ALL[family](folder)
