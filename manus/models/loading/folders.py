"""Writes model folders that transformers loads as they are. Knows nothing of how the weights came about."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from fnmatch import fnmatch
from math import prod
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import AutoTokenizer, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from manus.data.tokens.chat_templates import ends_of_answers
from manus.errors import ModelError, blamed_on
from manus.models.detection.safetensors_header import shards_of
from manus.models.generation_file import GENERATION, ends_of_texts, generation_settings
from manus.models.json_files import read_object
from manus.models.loaders import load_from
from manus.models.native.recognising import has_own_senses

FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
TEMPLATE = "chat_template.jinja"
TOKENIZER_FILES = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "additional_chat_templates/*.jinja",
    "vocab*",
    "merges.txt",
    "normalizer.json",
    "tekken.json",
    "*.model",
    "*.model.v*",
    "*.tiktoken",
    "*.spm",
    "*.bpe",
    "bpe.codes",
    "*processor_config.json",
)
TOKENIZER_PROPER = ("tokenizer*", "vocab*", "*.model", "*.tiktoken", "*.spm", "tekken.json")
NEVER_COPIED = (".py", ".bin", ".pt", ".pth", ".pkl", ".pickle")


def weight_files(path: Path) -> list[Path]:
    """Return the safetensors files that transformers reads from a model folder.

    Raises:
        ModelError: there are none.
    """
    index = path / "model.safetensors.index.json"
    if (path / "model.safetensors").is_file():
        return [path / "model.safetensors"]
    if not index.is_file():
        raise ModelError(f"{path} holds no safetensors weights")
    return [path / name for name in shards_of(index)]


def stored_dtype(path: Path) -> torch.dtype:
    """Return the floating type that most of a folder's weights are stored in.

    Raises:
        ModelError: the weights are missing, broken, or of no plain floating type.
    """
    counts: Counter[str] = Counter()
    with blamed_on(f"cannot read the weights in {path}", ModelError):
        for name in weight_files(path):
            with safe_open(name, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 (a file, not a dictionary)
                    part = file.get_slice(key)
                    counts[part.get_dtype()] += prod(part.get_shape())
    floats = [name for name, _ in counts.most_common() if name in FLOATS]
    if not floats:
        raise ModelError(f"{path} stores its weights as {', '.join(counts) or 'nothing'}, not as floats")
    return FLOATS[floats[0]]


def write_model(model: PreTrainedModel, base: Path, out: Path, dtype: torch.dtype) -> None:
    """Write plain weights in `dtype` (cast in place) with the base's generation settings.

    Raises:
        ModelError: a weight is NaN or infinite in that type.
    """
    model.to(dtype)
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise ModelError(f"the merged {name} is not finite in {dtype}; is a stage broken?")
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    # Training switches the cache off, and that would slow down every later generation.
    model.config.use_cache = read_object(base / "config.json").get("use_cache", True)
    # Copied as a file: transformers refuses to save settings that many published models have.
    model.generation_config = GenerationConfig.from_model_config(model.config)
    model.save_pretrained(out, max_shard_size="5GB")
    if (base / GENERATION).is_file():
        shutil.copyfile(base / GENERATION, out / GENERATION)


def copy_tokenizer(base: Path, out: Path) -> list[str]:
    """Copy tokenizer, chat templates and processors file by file, so that nothing in them drifts.

    Returns:
        The relative names of the files, sorted.

    Raises:
        ModelError: there is no tokenizer.
    """
    found = sorted({file for pattern in TOKENIZER_FILES for file in base.glob(pattern) if _is_copied(file)})
    if not any(fnmatch(file.name, pattern) for file in found for pattern in TOKENIZER_PROPER):
        raise ModelError(f"{base} holds no tokenizer")
    for file in found:
        target = out / file.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return [str(file.relative_to(base)) for file in found]


def write_template(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Put the chat template that was trained with beside a copied tokenizer that has none, or another one.

    A model with senses keeps its processor's template: what it writes is the same.
    """
    if has_own_senses(folder):
        return
    own = load_from(AutoTokenizer, folder, f"{folder}: the copied tokenizer cannot be loaded").chat_template
    if own != tokenizer.chat_template:
        (folder / TEMPLATE).write_text(tokenizer.get_chat_template(), encoding="utf-8")


def write_ends(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Add what ends an answer, as the chat template writes it, to where a model's generation ends."""
    path, settings = folder / GENERATION, generation_settings(folder)
    told = ends_of_texts(settings)
    ends = list(dict.fromkeys([*told, tokenizer.eos_token_id, *ends_of_answers(tokenizer)]))
    if ends != told:
        path.write_text(json.dumps({**settings, "eos_token_id": ends}, indent=2) + "\n", encoding="utf-8")


def _is_copied(file: Path) -> bool:
    return file.is_file() and file.suffix not in NEVER_COPIED
