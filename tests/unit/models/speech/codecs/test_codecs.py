"""Codecs are found by their type; what is none is refused with the ones that are known."""

import json

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from manus.errors import ModelError
from manus.models.speech.codecs import codec_of, load_codec


def test_what_is_no_codec_is_refused_by_name(tmp_path):
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load_codec(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "encodec"}))
    with pytest.raises(ModelError, match="'encodec' is no codec that works here"):
        load_codec(tmp_path)
    small = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
        )
    )
    with pytest.raises(ModelError, match="'llama' is no codec that works here; known: manus_mel_codec, mimi"):
        codec_of(small)


def test_missing_weights_are_named(tmp_path):
    import torch
    from safetensors.torch import save_file

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "manus_mel_codec"}))
    save_file({"mean_C": torch.zeros(128)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="it lacks books_KVC, noise_S, pitch"):
        load_codec(tmp_path)
