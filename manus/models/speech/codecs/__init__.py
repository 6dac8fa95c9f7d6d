"""Codecs: sound as a few whole numbers a frame, and back. One file a family, found by its configuration's type.

Shape suffixes: K codebooks, F frames, S samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor
from transformers import AutoModel, PreTrainedModel

from manus.discovery import Contract, discovered
from manus.errors import ModelError, nearest
from manus.models.json_files import read_object
from manus.models.loaders import load_from

CONFIG = "config.json"


class SpeechCodec(Protocol):
    """What every codec does, whatever it is made of.

    `left_context_frames` says how many earlier frames must be decoded again in front of new ones, so that
    these sound as if all had been decoded at once.
    """

    @property
    def sample_rate(self) -> int: ...

    @property
    def frames_per_second(self) -> float: ...

    @property
    def codebooks(self) -> int: ...

    @property
    def codebook_size(self) -> int: ...

    @property
    def left_context_frames(self) -> int: ...

    def encode(self, waves_S: Tensor) -> Tensor:
        """Return the codes [K, F] (64-bit whole numbers) of a sound [S]: mono, 32 bits, -1 to 1."""
        ...

    def decode(self, codes_KF: Tensor) -> Tensor:
        """Return the sound [S] of codes, 32 bits."""
        ...


@runtime_checkable
class ResumableCodec(Protocol):
    """A codec that goes on exactly where it stopped: it keeps more than earlier codes tell."""

    def decode_after(self, codes_KF: Tensor, past: Any, is_last: bool) -> tuple[Tensor, Any]:
        """Return the samples that are certain by now, and what the next call needs in place of `past`.

        Args:
            codes_KF: of the frames that came since.
            past: of the call before; None at the beginning.
            is_last: whether no more frames come, so that all samples are given out.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class CodecFamily(Contract):
    """What a file in this folder says of itself.

    MODEL_TYPE: that of the models it speaks with.
    codec: makes a loaded model a codec.
    """

    MODEL_TYPE: str
    codec: Callable[[PreTrainedModel], SpeechCodec]


def codec_of(model: PreTrainedModel) -> SpeechCodec:
    """Return a model as a codec.

    Raises:
        ModelError: it is of no family that is known here.
    """
    family = _families().get(str(model.config.model_type))
    if family is None:
        raise ModelError(f"a model of type {model.config.model_type!r} {_known(model.config.model_type)}")
    return family.codec(model)


def load_codec(folder: Path) -> PreTrainedModel:
    """Return the codec's model in a folder, in the type its weights are stored in; `codec_of` makes it one.

    Raises:
        ModelError: there is none, it is of no family that is known here, or it cannot be loaded.
    """
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{folder} is no codec's folder: it has no {CONFIG}")
    model_type = read_object(folder / CONFIG).get("model_type")
    if model_type not in _families():
        raise ModelError(f"{folder}: a model of type {model_type!r} {_known(model_type)}")
    failed = f"the codec in {folder} cannot be loaded"
    model, told = load_from(
        AutoModel, folder, failed, dtype="auto", use_safetensors=True, output_loading_info=True
    )
    if missing := sorted(told["missing_keys"]):
        raise ModelError(f"{failed}: it lacks {', '.join(missing[:3])}")
    loaded: PreTrainedModel = model.eval().requires_grad_(False)
    return loaded


def _families() -> dict[str, CodecFamily]:
    found = discovered("manus.models.speech.codecs", CodecFamily)
    return {family.MODEL_TYPE: family for family in found.values()}


def _known(model_type: object) -> str:
    guess = nearest(str(model_type), list(_families()))
    known = ", ".join(sorted(_families()))
    return f"is no codec that works here; {f'the nearest is {guess!r}' if guess else f'known: {known}'}"
