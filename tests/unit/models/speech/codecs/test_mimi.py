"""Mimi behind the contract, on a small one with random weights: shapes, rates, streaming."""

import pytest
import torch
from transformers import MimiConfig, MimiModel

from manus.models.speech.codecs import codec_of, load_codec
from manus.models.speech.codecs.mimi import Mimi
from manus.models.speech.streaming import StreamedDecoding
from tests.unit.models.speech.clips import hiss

SIZES = {
    "hidden_size": 32, "num_filters": 4, "codebook_size": 32, "codebook_dim": 16, "num_quantizers": 10,
    "vector_quantization_hidden_dimension": 16, "upsample_groups": 32, "num_hidden_layers": 2,
    "intermediate_size": 48, "num_attention_heads": 2, "num_key_value_heads": 2, "sliding_window": 20,
}  # fmt: skip


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = MimiModel(MimiConfig(**SIZES)).eval()
    for layer in (*made.quantizer.semantic_residual_vector_quantizer.layers,
                  *made.quantizer.acoustic_residual_vector_quantizer.layers):  # fmt: skip
        layer.codebook.embed_sum.normal_()
    return made


def test_rates_and_shapes_are_those_of_the_model(model):
    codec = codec_of(model)
    assert (codec.sample_rate, codec.frames_per_second, codec.codebooks, codec.codebook_size) == (
        24000,
        12.5,
        8,
        32,
    )
    codes = codec.encode(hiss(1.5)[:24_000])
    assert (codes.shape, codes.dtype) == ((8, 13), torch.int64)
    assert len(codec.decode(codes)) == 13 * 1920
    with pytest.raises(ValueError, match="has 10 codebooks, not 11"):
        Mimi(model, 11)


@pytest.mark.parametrize("size", [1, 4])
def test_streaming_equals_decoding_at_once_within_its_tolerance(model, size):
    codec = codec_of(model)
    assert codec.left_context_frames == 14
    codes = torch.randint(0, 32, (8, 40), generator=torch.Generator().manual_seed(0))
    whole, stream = codec.decode(codes), StreamedDecoding(codec)
    parts = torch.cat([*(stream.add(piece) for piece in codes.split(size, 1)), stream.end()])
    assert parts.shape == whole.shape
    assert whole.abs().max() > 1e-3
    assert (parts - whole).abs().max() < 1e-4


def test_a_folder_is_loaded(model, tmp_path):
    model.save_pretrained(tmp_path)
    codes = torch.zeros(8, 5, dtype=torch.long)
    assert torch.allclose(
        codec_of(load_codec(tmp_path)).decode(codes), codec_of(model).decode(codes), atol=1e-6
    )
