"""Writes a talker into a folder, and reads it back: weights, sizes, and whose voices it speaks with.

In a model's folder it stands in `speech/`, with its codec in `speech/codec/` where that is not on the hub.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from manus.errors import ModelError, blamed_on
from manus.files import write_json
from manus.models.json_files import read_object
from manus.models.speech.names import CODEC, FACTS, SPEECH, WEIGHTS
from manus.models.speech.talker import Talker, TalkerConfig

FORMAT = 1


@dataclass(frozen=True, slots=True)
class StoredTalker:
    """A talker and the names of its voices, in the order of their numbers."""

    talker: Talker
    voices: tuple[str, ...]


def save_talker(talker: Talker, voices: Sequence[str], folder: Path) -> None:
    """Write a talker into a new folder; what says that it is whole comes last."""
    folder.mkdir(parents=True)
    weights = {name: value.detach().float().cpu().contiguous() for name, value in talker.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    write_json(folder / FACTS, {"format": FORMAT, "config": talker.config.to_dict(), "voices": list(voices)})


def load_talker(folder: Path) -> StoredTalker:
    """Return the talker in a folder, in evaluation mode.

    Raises:
        ModelError: it is missing or damaged.
    """
    with blamed_on(f"{folder} holds no talker that can be read", ModelError):
        facts = read_object(folder / FACTS)
        if facts.get("format") != FORMAT:
            raise ModelError(f"{folder / FACTS} has the format {facts.get('format')!r}, not {FORMAT}")
        talker = Talker(TalkerConfig.of(facts["config"]))
        voices = tuple(str(name) for name in facts["voices"])
        if not 0 < len(voices) <= talker.config.voices:
            raise ModelError(f"{folder / FACTS} names {len(voices)} voices")
        try:
            talker.load_state_dict(load_file(folder / WEIGHTS))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise ModelError(f"cannot read {folder / WEIGHTS}: {error}") from error
    return StoredTalker(talker.eval(), voices)


def put_speech(talker: Path, codec: Path, reference: Mapping[str, Any] | None, model_folder: Path) -> None:
    """Put a talker beside a model, with its codec, or where on the hub that is.

    Args:
        talker: the folder of `save_talker`.
        codec: the codec's folder.
        reference: {"hub": id, "revision": commit} of a codec that is not copied.
        model_folder: of the model.
    """
    speech = model_folder / SPEECH
    speech.mkdir()
    shutil.copyfile(talker / WEIGHTS, speech / WEIGHTS)
    if reference is None:
        (speech / CODEC).mkdir()
        for file in sorted(codec.iterdir()):
            if file.name == "config.json" or ".safetensors" in file.suffixes:
                shutil.copyfile(file, speech / CODEC / file.name)
    write_json(speech / FACTS, {**read_object(talker / FACTS), "codec": reference or {"folder": CODEC}})


def codec_folder(speech: Path) -> Path:
    """Return the folder of the codec that a talker beside a model speaks through; downloads one of the hub.

    Raises:
        ModelError: it is not there.
    """
    reference = read_object(speech / FACTS).get("codec")
    if not isinstance(reference, Mapping):
        raise ModelError(f"{speech / FACTS} names no codec")
    if "hub" not in reference:
        return speech / CODEC
    from huggingface_hub import snapshot_download

    from manus.hub import MODEL_FILES, unreachable

    name, revision = str(reference["hub"]), reference.get("revision")
    try:
        patterns = [f"*{ending}" for ending in MODEL_FILES]
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except unreachable() as error:
        raise ModelError(
            f"the codec of this talker is referred to, not stored: {name}@{revision} cannot be had "
            f"({type(error).__name__}); connect to the hub once"
        ) from None
