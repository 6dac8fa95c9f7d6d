"""Turns a Whisper model's arrays in CTranslate2's format into a transformers model. Knows no file layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from manus.errors import ModelError
from manus.models.encoders.ctranslate2 import Arrays, read_arrays

FLOATS = (np.dtype("<f4"), np.dtype("<f2"))
# Where the tokens that end and start a transcript stand, by the size of OpenAI's vocabularies. Only the
# decoder reads them, so that those of other vocabularies need not be known here.
SPECIAL_TOKENS = {51864: (50256, 50257), 51865: (50257, 50258), 51866: (50257, 50258)}


def read_whisper(path: Path) -> WhisperForConditionalGeneration:
    """Return a packaged Whisper model with its weights in 32 bits, which holds those of 16 exactly.

    Raises:
        ModelError: the file is damaged, is no Whisper, or is quantised.
    """
    arrays = read_arrays(path)
    try:
        model = WhisperForConditionalGeneration(_config(arrays))
        weights = {name: _tensor(array, name) for name, array in _renamed(arrays, model.config)}
    except KeyError as error:
        raise ModelError(f"{path} is no Whisper model: it has no {error.args[0]!r}") from None
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from None
    try:
        model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise ModelError(f"{path} does not fit Whisper: {str(error).splitlines()[-1].strip()}") from None
    model.tie_weights()
    absent = {name for name, _ in model.named_parameters()} - weights.keys()
    if absent or (extra := weights.keys() - model.state_dict().keys()):
        raise ModelError(f"{path} does not fit Whisper: {', '.join(sorted(absent or extra)[:3])}")
    return model.eval()


def _config(arrays: Arrays) -> WhisperConfig:
    vocabulary, width = arrays["decoder/embeddings/weight"].shape
    ends, starts = SPECIAL_TOKENS.get(vocabulary, (0, 0))
    halves: dict[str, Any] = {}
    for half in ("encoder", "decoder"):
        halves[f"{half}_layers"] = _layers(arrays, half)
        halves[f"{half}_attention_heads"] = int(arrays[f"{half}/num_heads"])
        halves[f"{half}_ffn_dim"] = arrays[f"{half}/layer_0/ffn/linear_0/bias"].shape[0]
    return WhisperConfig(
        vocab_size=vocabulary,
        d_model=width,
        num_mel_bins=arrays["encoder/conv1/weight"].shape[1],
        max_source_positions=arrays["encoder/position_encodings/encodings"].shape[0],
        max_target_positions=arrays["decoder/position_encodings/encodings"].shape[0],
        bos_token_id=ends,
        eos_token_id=ends,
        pad_token_id=ends,
        decoder_start_token_id=starts,
        **halves,
    )


def _layers(arrays: Arrays, half: str) -> int:
    count = 0
    while f"{half}/layer_{count}/ffn/linear_0/weight" in arrays:
        count += 1
    return count


def _tensor(array: np.ndarray, name: str) -> torch.Tensor:
    if array.dtype not in FLOATS:
        raise ValueError(f"{name} is quantised to {array.dtype}; use a float16 or float32 model")
    return torch.from_numpy(array.astype(np.float32))


def _renamed(arrays: Arrays, config: WhisperConfig) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays under the names that transformers gives them, fused projections taken apart."""
    for part in ("conv1", "conv2"):
        for kind in ("weight", "bias"):
            yield f"model.encoder.{part}.{kind}", arrays[f"encoder/{part}/{kind}"]
    yield "model.decoder.embed_tokens.weight", arrays["decoder/embeddings/weight"]
    yield "proj_out.weight", arrays["decoder/projection/weight"]
    for half in ("encoder", "decoder"):
        yield f"model.{half}.embed_positions.weight", arrays[f"{half}/position_encodings/encodings"]
        yield from _norm(arrays, f"{half}/layer_norm", f"model.{half}.layer_norm")
        for index in range(getattr(config, f"{half}_layers")):
            yield from _layer(arrays, f"{half}/layer_{index}", f"model.{half}.layers.{index}")


def _layer(arrays: Arrays, old: str, new: str) -> Iterator[tuple[str, np.ndarray]]:
    yield from _norm(arrays, f"{old}/self_attention/layer_norm", f"{new}.self_attn_layer_norm")
    yield from _linears(
        arrays, f"{old}/self_attention/linear_0", new + ".self_attn", ("q_proj", "k_proj", "v_proj")
    )
    yield from _linears(arrays, f"{old}/self_attention/linear_1", new + ".self_attn", ("out_proj",))
    if f"{old}/attention/linear_0/weight" in arrays:
        yield from _norm(arrays, f"{old}/attention/layer_norm", f"{new}.encoder_attn_layer_norm")
        for index, names in enumerate((("q_proj",), ("k_proj", "v_proj"), ("out_proj",))):
            yield from _linears(arrays, f"{old}/attention/linear_{index}", new + ".encoder_attn", names)
    yield from _norm(arrays, f"{old}/ffn/layer_norm", f"{new}.final_layer_norm")
    for index, name in enumerate(("fc1", "fc2")):
        yield from _linears(arrays, f"{old}/ffn/linear_{index}", new, (name,))


def _norm(arrays: Arrays, old: str, new: str) -> Iterator[tuple[str, np.ndarray]]:
    yield f"{new}.weight", arrays[f"{old}/gamma"]
    yield f"{new}.bias", arrays[f"{old}/beta"]


def _linears(arrays: Arrays, old: str, new: str, names: tuple[str, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the linear layers that are stacked in one; Whisper's keys have no bias, so that part is zero."""
    for kind in ("weight", "bias"):
        for name, array in zip(names, np.split(arrays[f"{old}/{kind}"], len(names)), strict=True):
            if kind == "bias" and name == "k_proj":
                if array.any():
                    raise ValueError(f"{old} has a bias on its keys, which Whisper has not")
                continue
            yield f"{new}.{name}.{kind}", array
