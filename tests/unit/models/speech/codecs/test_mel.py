"""The codec that is fitted: it gives sound back, is the same from the same seed, and streams what it decodes."""

import pytest
import torch
from transformers import AutoModel

from manus.models.speech.codecs import codec_of, load_codec, mel
from manus.models.speech.pitch import track
from manus.models.speech.spectrum import log_mel
from manus.models.speech.streaming import StreamedDecoding
from tests.unit.models.speech.clips import buzz, hiss, said

SMALL = mel.MelCodecConfig(codebooks=3, codebook_size=32, pitch_width=32)
HERTZ = (100.0, 125.0, 160.0, 200.0)


@pytest.fixture(scope="module")
def waves():
    return [said([buzz(hertz, 0.5), hiss(0.2, seed=place)]) for place, hertz in enumerate(HERTZ * 2)]


@pytest.fixture(scope="module")
def fitted(waves):
    return mel.fit(waves, 0, SMALL)


def test_each_codebook_brings_the_mels_nearer(fitted, waves):
    codes = fitted.encode(waves[0])
    wanted = mel._stacked(waves[0])
    errors = []
    for books in range(4):
        some = fitted.mean_C + sum(fitted.books_KVC[k][codes[k]] for k in range(books))
        errors.append((some - wanted).pow(2).mean().sqrt().item())
    assert errors[3] < errors[2] < errors[1] < 0.6 * errors[0]
    assert mel.round_trip_error(fitted, waves[:1]) == pytest.approx(errors[3], abs=1e-3)


def test_sound_comes_back_with_its_pitch_and_its_length(fitted, waves):
    for hertz, wave in zip(HERTZ, waves, strict=False):
        codes = fitted.encode(wave)
        assert (codes.dtype, len(codes)) == (torch.int64, 3)
        made = fitted.decode(codes)
        assert len(made) == 512 * codes.shape[1]
        assert 0 <= len(made) - len(wave) < 512
        found = track(made)[10:38]
        assert abs(found[found > 0].median() / hertz - 1) < 0.04
        assert (log_mel(made)[:60] - log_mel(wave)[:60])[log_mel(wave)[:60] > -3].abs().mean() < 1


def test_it_is_told_how_right_the_pitch_is(fitted, waves):
    right = mel.pitch_accuracy(fitted, waves)
    assert right["voicing"] > 0.9
    assert right["within_half_tone"] > 0.8


def test_the_same_seed_fits_the_same_bits(fitted, waves):
    again, other = mel.fit(waves, 0, SMALL).state_dict(), mel.fit(waves, 1, SMALL).state_dict()
    assert all(torch.equal(again[name], value) for name, value in fitted.state_dict().items())
    assert not torch.equal(other["books_KVC"], again["books_KVC"])
    with pytest.raises(ValueError, match="too few for 256 codes"):
        mel.fit(waves[:1], 0)


def test_a_folder_gives_back_the_same_codec(fitted, waves, tmp_path):
    fitted.save_pretrained(tmp_path)
    loaded = codec_of(load_codec(tmp_path))
    codes = fitted.encode(waves[1])
    assert torch.equal(loaded.encode(waves[1]), codes)
    assert torch.equal(loaded.decode(codes), fitted.decode(codes))
    assert isinstance(AutoModel.from_pretrained(tmp_path), mel.MelCodec)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["model.safetensors"]


@pytest.mark.parametrize("size", [1, 3, 8])
def test_streaming_equals_decoding_at_once(fitted, waves, size):
    codes = fitted.encode(torch.cat(waves[:2]))
    whole, stream = fitted.decode(codes), StreamedDecoding(fitted)
    parts = torch.cat([*(stream.add(piece) for piece in codes.split(size, 1)), stream.end()])
    assert parts.shape == whole.shape
    assert (parts - whole).abs().max() < 1e-3  # of full scale
    assert (parts - whole).pow(2).mean().sqrt() < 1e-4


def test_few_or_no_frames_are_decoded(fitted):
    for frames in (0, 1, 2, 3):
        codes = torch.zeros(3, frames, dtype=torch.long)
        assert len(fitted.decode(codes)) == 512 * frames
        stream = StreamedDecoding(fitted)
        assert len(stream.add(codes)) + len(stream.end()) == 512 * frames
