"""Makes an encoder a folder of its own that transformers loads: config.json, model.safetensors, its preparer.

Whisper's folder holds the encoder only, so it loads as `WhisperEncoder` and not through AutoModel, which
knows whole Whispers; `load_encoder` loads every kind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedModel, WhisperFeatureExtractor

from manus.errors import ModelError
from manus.guards.run import RUN
from manus.hub import unreachable
from manus.models.encoders.families import FAMILIES, why_unfit
from manus.models.encoders.finding import CONFIG, CTRANSLATE2, PREPARERS, Encoder
from manus.models.encoders.loading import load_encoder, model_type_of, weights_digest
from manus.models.encoders.packaged_whisper import read_whisper
from manus.models.encoders.trained import known_trained
from manus.models.loaders import load_from

HUB_FILES = (CONFIG, *PREPARERS, "*.safetensors", "*.safetensors.index.json")
WRITING_FILES = (
    "generation_config.json", "tokenizer*", "vocab.json", "merges.txt", "normalizer.json",
    "added_tokens.json", "special_tokens_map.json",
)  # fmt: skip


def materialise(encoder: Encoder, folder: Path, seed: int, work: Path) -> dict[str, Any]:
    """Write an encoder into a folder of its own.

    Args:
        encoder: which.
        folder: an empty folder.
        seed: the recipe's, for an encoder that is trained.
        work: where such a training keeps its checkpoints.

    Returns:
        parameters, model_type, sha256 of the weights, and what a training measured.

    Raises:
        ModelError: the hub cannot be reached, or the model there or in the folder is not usable.
        Interrupted: a signal came while training; the next call continues.
    """
    measured: dict[str, Any] = {}
    if encoder.kind == "trained":
        module = known_trained()[encoder.trained_name]
        model, preparer, measured = module.train(seed, work)
    else:
        print(f"  reading {encoder.spec}", flush=True)
        model, preparer = _read(encoder)
    RUN.cross(f"making the {encoder.sense} encoder")
    model.save_pretrained(folder, max_shard_size="100GB")
    if preparer is not None:
        preparer.save_pretrained(folder)
    return {
        "parameters": model.num_parameters(),
        "model_type": model.config.model_type,
        "sha256": weights_digest(model.state_dict()),
        **measured,
    }


def local_folder(encoder: Encoder, also: tuple[str, ...] = ()) -> Path:
    """Return the folder of an encoder that is one, downloading what the hub has and this machine has not.

    Args:
        encoder: which.
        also: patterns of further files, such as WRITING_FILES for a recogniser that is to write.

    Raises:
        ModelError: the hub cannot be reached, or the repository holds no such encoder.
    """
    if encoder.path is not None:
        return encoder.path
    from huggingface_hub import snapshot_download

    where = f"{encoder.sense} {encoder.spec!r}"
    try:
        folder = Path(
            snapshot_download(encoder.hub_id, revision=encoder.revision, allow_patterns=[*HUB_FILES, *also])
        )
    except unreachable() as error:
        raise ModelError(f"{where} cannot be downloaded: {type(error).__name__}: {error}") from None
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{where} has no .safetensors weights; other formats are not loaded")
    return folder


def _read(encoder: Encoder) -> tuple[PreTrainedModel, Any]:
    folder = local_folder(encoder)
    if (folder / CTRANSLATE2).is_file() and encoder.kind == "package":
        whole = read_whisper(folder / CTRANSLATE2)
        return whole.get_encoder(), WhisperFeatureExtractor(feature_size=whole.config.num_mel_bins)
    if why := why_unfit(encoder.sense, model_type_of(folder)):
        raise ModelError(f"{encoder.sense} {encoder.spec!r}: {why}")
    preparer = getattr(transformers, FAMILIES[model_type_of(folder)].preparer)
    return load_encoder(folder), load_from(
        preparer, folder, f"{encoder.sense} {encoder.spec!r}: {folder} has no preparer that can be loaded"
    )
