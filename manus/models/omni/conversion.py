"""Assembles an omni checkpoint from a text model and encoders. The text model's weights stay, bit by bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import (
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from manus.data.sample import PLACEHOLDERS, RESERVED
from manus.errors import ModelError
from manus.models.encoders.loading import encoder_config, weights_digest
from manus.models.generation_file import GENERATION
from manus.models.loaders import load_from
from manus.models.loading.composition import load_plain
from manus.models.loading.folders import FLOATS, weight_files
from manus.models.omni.configuration import ManusOmniConfig
from manus.models.omni.encoders import load_audio, load_vision
from manus.models.omni.layout import SAMPLES_PER_POSITION, SAMPLES_PER_SECOND, MediaLayout
from manus.models.omni.modeling import ManusOmniForConditionalGeneration, why_unfit
from manus.models.omni.preparers import feature_extractor, image_processor, media_layout
from manus.models.omni.processing import ManusOmniProcessor
from manus.models.omni.settings import OmniSettings

SHARD = "5GB"


def assemble(
    base: Path,
    out: Path,
    vision: Path | None,
    audio: Path | None,
    settings: OmniSettings | None = None,
    references: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Write an omni checkpoint: language model, encoders, new projectors, tokenizer and processor.

    Args:
        base: the folder of a text model.
        out: a new or empty folder.
        vision: the folder of a vision encoder, or of a model that has one.
        audio: the folder of a Whisper model, or of its encoder alone.
        settings: how media become tokens.
        references: by sense (`vision`, `audio`), where an encoder is from: {"hub": id, "revision": commit} or
            {"folder": path}. Such an encoder is not stored, but loaded from there and checked by its digest.
        seed: draws the projectors.

    Returns:
        Parameters by part, tokens by medium, and the placeholder ids.

    Raises:
        ModelError: a folder is broken, or the models do not go together.
    """
    settings, references = settings or OmniSettings(), references or {}
    if vision is None and audio is None:
        raise ModelError("an omni checkpoint needs an encoder: name one for vision or for audio_input")
    given = {"vision": vision, "audio": audio}
    if unknown := sorted(sense for sense in references if given.get(sense) is None):
        raise ModelError(f"a reference for {unknown[0]!r}, but no such encoder")
    language_model = _language_model(base)
    tokenizer, text_tokens = _tokenizer(base)
    seen = _vision_encoder(vision) if vision is not None else None
    heard = load_audio(audio, _hearing(audio, settings)) if audio is not None else None
    parts = {"vision": seen, "audio": heard}
    images = image_processor(vision, seen.config) if vision is not None and seen is not None else None
    sounds = feature_extractor(audio, heard.config) if audio is not None and heard is not None else None
    layout = media_layout(images, seen.config if seen else None, heard.config if heard else None, settings)
    config = _configuration(language_model, tokenizer, text_tokens, parts, layout, settings)
    config.encoders = {
        sense: {**reference, "sha256": weights_digest(_present(parts[sense]).state_dict())}
        for sense, reference in references.items()
    } or None
    model = _joined(config, language_model, parts, seed)
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out, max_shard_size=SHARD)
    if (base / GENERATION).is_file():
        shutil.copyfile(base / GENERATION, out / GENERATION)
    ManusOmniProcessor(tokenizer, images, sounds, layout).save_pretrained(out)
    return _facts(model, layout)


def _language_model(base: Path) -> PreTrainedModel:
    model = load_plain(base, _widest_dtype(base))
    if reason := why_unfit(type(model), model.config):
        raise ModelError(f"{base}: this text model cannot get senses: {reason}")
    if "vision_config" in model.config.sub_configs or "audio_config" in model.config.sub_configs:
        raise ModelError(f"{base}: {model.config.model_type} has senses already; use it as it is")
    return model


def _widest_dtype(folder: Path) -> torch.dtype:
    """Return the widest floating type among a folder's weights, which holds all of them exactly."""
    found: set[torch.dtype] = set()
    for name in weight_files(folder):
        with safe_open(name, framework="pt") as file:
            kinds = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118 (a file)
            found |= {FLOATS[kind] for kind in kinds if kind in FLOATS}
    if not found:
        raise ModelError(f"{folder} stores no weights as floats")
    return found.pop() if len(found) == 1 else max((*found, torch.float32), key=lambda dtype: dtype.itemsize)


def _tokenizer(base: Path) -> tuple[PreTrainedTokenizerBase, int]:
    """Return the base's tokenizer with the placeholders added, and how many tokens it had before."""
    tokenizer = load_from(AutoTokenizer, base, f"{base}: cannot load its tokenizer")
    before = max(tokenizer.get_vocab().values()) + 1
    new = {"additional_special_tokens": [*PLACEHOLDERS.values(), *RESERVED]}
    tokenizer.add_special_tokens(new, replace_extra_special_tokens=False)
    return tokenizer, before


def _vision_encoder(folder: Path) -> PreTrainedModel:
    encoder_config("vision", folder)  # says it where the model is of another kind
    return load_vision(folder)


def _hearing(folder: Path, settings: OmniSettings) -> PreTrainedConfig:
    """Return the configuration of an audio encoder, with a shorter window where that is asked for."""
    config = encoder_config("audio_input", folder)
    if settings.longest_audio_seconds is not None:
        positions = int(settings.longest_audio_seconds * SAMPLES_PER_SECOND / SAMPLES_PER_POSITION)
        if not 0 < positions <= config.max_source_positions:
            most = config.max_source_positions * SAMPLES_PER_POSITION / SAMPLES_PER_SECOND
            raise ModelError(
                f"longest_audio_seconds: {settings.longest_audio_seconds} is not within 0.02 ... {most:g}"
            )
        config.max_source_positions = positions
    return config


def _configuration(
    language_model: PreTrainedModel,
    tokenizer: Any,
    text_tokens: int,
    parts: Mapping[str, Any],
    layout: MediaLayout,
    settings: OmniSettings,
) -> ManusOmniConfig:
    known = {kind: tokenizer.convert_tokens_to_ids(token) for kind, token in PLACEHOLDERS.items()}
    ids = {kind: token for kind, token in known.items() if kind in layout.senses}
    unused = [token for kind, token in known.items() if kind not in layout.senses]
    return ManusOmniConfig(
        text_config=language_model.config,
        vision_config=parts["vision"].config if parts["vision"] is not None else None,
        audio_config=parts["audio"].config if parts["audio"] is not None else None,
        image_token_id=ids.get("image"),
        video_token_id=ids.get("video"),
        audio_token_id=ids.get("audio"),
        reserved_token_ids=sorted({*unused, *tokenizer.convert_tokens_to_ids(list(RESERVED))}),
        text_tokens=text_tokens,
        text_embedding_rms=_embedding_rms(language_model, text_tokens),
        vision_grid=list(layout.grid) if layout.grid is not None else None,
        vision_feature_layer=settings.vision_feature_layer,
        vision_pixel_shuffle=settings.vision_pixel_shuffle,
        video_pool=settings.video_pool,
        audio_stack=settings.audio_stack,
        use_cache=True,
    )


@torch.no_grad()
def _embedding_rms(language_model: PreTrainedModel, tokens: int) -> float:
    """Return the root mean square of what the language model reads for a token of text."""
    embedding: Any = language_model.get_input_embeddings()
    ids = torch.arange(min(tokens, embedding.num_embeddings))
    parts = [ids[start : start + 8192] for start in range(0, len(ids), 8192)]
    squares = [embedding(part).double().square().mean(1) for part in parts]
    return float(torch.cat(squares).mean().sqrt())


def _joined(
    config: ManusOmniConfig, language_model: PreTrainedModel, parts: Mapping[str, Any], seed: int
) -> ManusOmniForConditionalGeneration:
    """Return the whole model, without copying a weight of its parts."""
    with torch.device("meta"):
        model = ManusOmniForConditionalGeneration(config)
    model.language_model = language_model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for sense, encoder in parts.items():
            if encoder is None:
                continue
            setattr(model, f"{sense}_encoder", encoder)
            projector = getattr(model, f"{sense}_projector").to(language_model.dtype).to_empty(device="cpu")
            projector.initialise()
    model._freeze_encoders()
    config.dtype = language_model.dtype
    config.architectures = [type(model).__name__]
    return model


def _present(part: PreTrainedModel | None) -> PreTrainedModel:
    assert part is not None, "a reference is only taken with its encoder"
    return part


def _facts(model: ManusOmniForConditionalGeneration, layout: MediaLayout) -> dict[str, Any]:
    sizes = {
        name: sum(p.numel() for p in part.parameters())
        for name, part in model.named_children()
        if part is not None
    }
    facts: dict[str, Any] = {"parameters": sizes, "placeholders": model.config.placeholder_ids}
    facts["senses"] = sorted(layout.senses)
    if layout.grid is not None:
        facts["image_tokens"], facts["frame_tokens"] = layout.image_tokens(1, 1), layout.frame_tokens(1, 1)
    if layout.audio_positions is not None:
        facts["audio_tokens_per_second"] = SAMPLES_PER_SECOND / SAMPLES_PER_POSITION / layout.audio_stack
        facts["longest_audio_seconds"] = layout.longest_audio_seconds
    return json.loads(json.dumps(facts))  # type: ignore[no-any-return]
