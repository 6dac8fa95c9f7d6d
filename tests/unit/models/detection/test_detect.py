"""Detection: every model type of the installed transformers, other kinds of model, and what is refused."""

from __future__ import annotations

import gc
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manus.errors import ModelError
from manus.models.detection.detect import Detection, detect, modalities_missing
from manus.models.detection.modalities import MODALITIES
from manus.models.detection.source_class import read_class
from manus.models.detection.transformers_source import model_types, tables, version

# Default configurations that transformers itself cannot build; a configuration with nothing but the type
# stands in.
NOT_BUILDABLE = {
    "gemma4_assistant": "its validator refuses its own default",
    "nougat": "its default encoder type, donut_swin, is not registered under that name",
}
# What these take in is none of the seven modalities.
NO_MODALITY = {
    "autoformer": "time",
    "decision_transformer": "states",
    "informer": "time",
    "muse_glimmer_assistant": "noise_embeds",
    "patchtsmixer": "time",
    "patchtst": "time",
    "time_series_transformer": "time",
    "timesfm": "time",
    "timesfm2_5": "time",
}
# Aliases: the configuration class saves another model type.
SAVED_AS = {"EvollaModel": "evolla", "gpt-sw3": "gpt2", "mlcd": "mlcd_vision_model"}

SHORT = {"t": "text", "v": "vision", "a": "audio_in", "A": "audio_out", "f": "video", "V": "vision_output"}
WELL_KNOWN = {  # t text, v vision, a audio in, f video (frames), A audio out, V vision output
    "llama": "t", "qwen2": "t", "qwen3": "t", "qwen3_moe": "t", "gemma2": "t", "gemma3_text": "t",
    "mistral": "t", "mixtral": "t", "gpt2": "t", "gpt_neox": "t", "gpt_oss": "t", "phi3": "t", "mamba": "t",
    "mamba2": "t", "rwkv": "t", "bert": "t", "roberta": "t", "modernbert": "t", "t5": "t", "bart": "t",
    "blt": "t", "mistral4": "t",
    "gemma3": "tv", "llava": "tv", "llava_next": "tv", "idefics3": "tv", "mistral3": "tv", "paligemma": "tv",
    "mllama": "tv", "llama4": "tv", "blip-2": "tv", "git": "tv", "got_ocr2": "tv", "chameleon": "tv",
    "qwen2_vl": "tvf", "qwen2_5_vl": "tvf", "qwen3_vl": "tvf", "video_llava": "tvf", "llava_onevision": "tvf",
    "llava_next_video": "tvf", "smolvlm": "tvf", "internvl": "tvf", "glm4v": "tvf", "instructblipvideo": "tf",
    "gemma3n": "tva", "phi4_multimodal": "tva", "dots3_note": "tvaf", "muse_spark": "tvaf",
    "qwen2_5_omni": "tvafA", "qwen3_omni_moe": "tvafA", "qwen2_5_omni_thinker": "tvaf",
    "janus": "tvV", "emu3": "tvV", "glm_image": "tvV", "imagegpt": "vV", "swin2sr": "vV",
    "qwen2_audio": "ta", "voxtral": "ta", "audioflamingo3": "ta", "granite_speech": "ta",
    "whisper": "ta", "moonshine": "ta", "parakeet_ctc": "ta", "parakeet_tdt": "ta", "wav2vec2": "ta",
    "hubert": "ta", "kyutai_speech_to_text": "ta", "clap": "ta", "speech_to_text": "ta",
    "audio-spectrogram-transformer": "a",
    "vits": "tA", "bark": "tA", "dia": "taA", "higgs_audio_v2": "taA", "speecht5_hifigan": "aA",
    "fastspeech2_conformer_hifigan": "aA", "qwen2_5_omni_token2wav": "aA", "qwen2_5_omni_bigvgan": "aA",
    "vibevoice_acoustic_tokenizer_decoder": "aA", "fastspeech2_conformer": "tA", "csm": "taA", "moshi": "taA",
    "speecht5": "taA", "musicgen": "taA", "seamless_m4t_v2": "taA", "vibevoice": "taA",
    "mimi": "aA", "encodec": "aA", "dac": "aA", "univnet": "aA",
    "clip": "tv", "siglip": "tv", "siglip2": "tv", "vilt": "tv", "layoutlmv3": "tv", "sam3": "tv",
    "aimv2": "tv", "siglip_vision_model": "v", "clip_vision_model": "v", "clip_text_model": "t",
    "pixtral": "v", "dinov2": "v", "dinov3_vit": "v", "vit": "v", "vit_mae": "v", "convnext": "v",
    "resnet": "v", "detr": "v", "sam": "v", "sam2": "v", "depth_anything": "v", "segformer": "v",
    "superpoint": "v", "dpt": "v",
    "vivit": "f", "videomae": "f", "timesformer": "f", "vjepa2": "f", "xclip": "tf",
}  # fmt: skip


def full(short: str) -> list[str]:
    """Return the modalities that a row of the table means, in their order."""
    return [name for name in MODALITIES if name in {SHORT[letter] for letter in short}]


def true_of(detection: Detection) -> list[str]:
    return [name for name, value in detection.modalities.items() if value]


def write(folder: Path, content: object, name: str = "config.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


@pytest.fixture(scope="module", autouse=True)
def _no_garbage_collection() -> Iterator[None]:
    """Keep Python from walking the thousands of cached syntax trees again and again; it triples the time."""
    gc.disable()
    yield
    read_class.cache_clear()
    gc.enable()


@pytest.fixture(scope="session")
def detected(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Detection]:
    """Give a function that builds the default configuration of a model type, saves and detects it, once."""
    from transformers import AutoConfig, logging

    logging.set_verbosity_error()
    folder = tmp_path_factory.mktemp("configuration")
    known: dict[str, Detection] = {}

    def detected_type(model_type: str) -> Detection:
        if model_type not in known:
            if model_type in NOT_BUILDABLE:
                write(folder, {"model_type": model_type})
            else:
                AutoConfig.for_model(model_type).save_pretrained(folder)
            known[model_type] = detect(folder)
        return known[model_type]

    return detected_type


def test_source_tables_equal_the_imported_ones() -> None:
    from transformers.models.auto import configuration_auto, modeling_auto, processing_auto

    assert model_types() == dict(configuration_auto.CONFIG_MAPPING_NAMES)
    assert tables()["PROCESSOR_MAPPING_NAMES"] == dict(processing_auto.PROCESSOR_MAPPING_NAMES)
    read = {name: rows for name, rows in tables().items() if name.startswith("MODEL_")}
    assert len(read) > 40
    for name, rows in read.items():
        assert rows == dict(getattr(modeling_auto, name)), name


def test_there_are_model_types() -> None:
    assert len(model_types()) > 700
    assert len(NOT_BUILDABLE) <= 3


@pytest.mark.parametrize("model_type", model_types())
def test_every_model_type(model_type: str, detected: Callable[[str], Detection]) -> None:
    detection = detected(model_type)
    assert detection.model_type == SAVED_AS.get(model_type, model_type)
    assert list(detection.modalities) == list(MODALITIES)
    assert list(detection.evidence) == true_of(detection)
    assert all(reasons and all(reasons) for reasons in detection.evidence.values())
    if model_type in NO_MODALITY:
        assert detection.other_inputs == (NO_MODALITY[model_type],)
    else:
        assert true_of(detection)
    json.dumps(detection.to_dict())


@pytest.mark.parametrize("model_type", WELL_KNOWN)
def test_well_known_types(model_type: str, detected: Callable[[str], Detection]) -> None:
    assert true_of(detected(model_type)) == full(WELL_KNOWN[model_type])


@pytest.mark.parametrize("model_type", tables()["MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES"])
def test_what_transformers_calls_image_text_to_text_sees_and_writes(
    model_type: str, detected: Callable[[str], Detection]
) -> None:
    """The tables are not what the answers rest on for inputs, so they can check them.

    Evolla reads proteins, Mistral 4 is listed as the text part of another, Gemma 4 has its parts off by
    default.
    """
    if model_type in ("evolla", "gemma4", "mistral4"):
        assert not detected(model_type).modalities["vision"]
    else:
        assert detected(model_type).modalities["vision"] or detected(model_type).modalities["video"]
    assert detected(model_type).modalities["text"]


@pytest.mark.parametrize(
    ("table", "needed"),
    [
        ("MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "text"),
        ("MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES", "text"),
        ("MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES", "audio_in"),
        ("MODEL_FOR_CTC_MAPPING_NAMES", "audio_in"),
        ("MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES", "audio_in"),
        ("MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES", "audio_out"),
        ("MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES", "vision"),
        ("MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES", "vision"),
        ("MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES", "vision"),
        ("MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES", "video"),
        ("VIDEO_PROCESSOR_MAPPING_NAMES", "video"),
    ],
)
def test_tables_agree(table: str, needed: str, detected: Callable[[str], Detection]) -> None:
    lacking = {model_type for model_type in tables()[table] if not detected(model_type).modalities[needed]}
    # InstructBlip's type once stood for InstructBlipVideo; the parts are optional
    assert lacking <= {"instructblip", "embedding_gemma2", "gemma4"}


def test_architectures_narrow_the_answer(tmp_path: Path) -> None:
    def modalities(model_type: str, architecture: str) -> list[str]:
        return true_of(detect(write(tmp_path, {"model_type": model_type, "architectures": [architecture]})))

    assert modalities("speecht5", "SpeechT5ForTextToSpeech") == ["text", "audio_out"]
    assert modalities("speecht5", "SpeechT5ForSpeechToText") == ["text", "audio_in"]
    assert modalities("wav2vec2", "Wav2Vec2ForPreTraining") == ["audio_in"]
    assert modalities("wav2vec2", "Wav2Vec2ForCTC") == ["text", "audio_in"]
    assert modalities("clip", "CLIPVisionModelWithProjection") == ["vision"]
    assert modalities("gemma3", "SomethingOfTheirOwn") == ["text", "vision"]


@pytest.mark.parametrize(
    ("model_type", "architecture", "expected"),
    [
        ("qwen3", "Qwen3ForCausalLM", True),
        ("t5", "T5ForConditionalGeneration", True),
        ("gemma3", "Gemma3ForConditionalGeneration", True),
        ("blip-2", "Blip2ForConditionalGeneration", True),
        ("qwen2_5_omni", "Qwen2_5OmniForConditionalGeneration", True),
        ("llama", "LlamaModel", False),
        ("bert", "BertForMaskedLM", False),
        ("whisper", "WhisperForConditionalGeneration", False),
        ("csm", "CsmForConditionalGeneration", False),
        ("clip", "CLIPModel", False),
    ],
)
def test_language_model(model_type: str, architecture: str, expected: bool, tmp_path: Path) -> None:
    detection = detect(write(tmp_path, {"model_type": model_type, "architectures": [architecture]}))
    assert detection.language_model is expected
    assert modalities_missing(detection, ["text"]) == ([] if expected else ["text"])


def test_modalities_missing_keeps_the_order_of_what_is_needed(detected: Callable[[str], Detection]) -> None:
    assert modalities_missing(detected("gemma3"), ["video", "text", "vision", "audio_in"]) == [
        "video",
        "audio_in",
    ]


def test_parts_that_a_checkpoint_leaves_out(tmp_path: Path) -> None:
    gemma4 = {"model_type": "gemma4", "audio_config": None, "vision_config": {"model_type": "gemma4_vision"}}
    assert true_of(detect(write(tmp_path, gemma4))) == full("tvf")
    gemma4 |= {"audio_config": {"model_type": "gemma4_audio"}}
    detection = detect(write(tmp_path, gemma4))
    assert true_of(detection) == full("tvaf")
    assert "audio_config (gemma4_audio) of gemma4" in detection.evidence["audio_in"]
    silent = {"model_type": "qwen3_omni_moe", "enable_audio_output": False}
    assert true_of(detect(write(tmp_path, silent))) == full("tvaf")


def test_facts(tmp_path: Path) -> None:
    def facts(config: dict[str, Any]) -> tuple[int | None, ...]:
        found = detect(write(tmp_path, config)).facts
        return found.hidden_size, found.vocab_size, found.max_positions, found.layers

    assert facts({"model_type": "gpt2", "n_embd": 64, "n_layer": 2}) == (64, 50257, 1024, 2)
    llama = {"model_type": "llama", "hidden_size": 96, "vocab_size": 300, "num_hidden_layers": 3}
    assert facts(llama | {"max_position_embeddings": 128}) == (96, 300, 128, 3)
    assert facts({"model_type": "llava", "text_config": llama}) == (96, 300, 2048, 3)
    assert (
        facts({"model_type": "qwen2_5_omni", "thinker_config": {"text_config": {"hidden_size": 32}}})[0] == 32
    )
    assert facts({"model_type": "vit"})[1] is None


def test_real_checkpoint(tmp_path: Path) -> None:
    """Weights are counted, tied ones once; shards are added up; quantization and custom code are said."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(**shape, vocab_size=64, tie_word_embeddings=True))
    model.save_pretrained(tmp_path / "whole")
    model.save_pretrained(tmp_path / "sharded", max_shard_size="4KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    for name in ("whole", "sharded"):
        detection = detect(tmp_path / name)
        assert (detection.kind, detection.architectures) == ("transformers", ("LlamaForCausalLM",))
        assert detection.parameters == model.num_parameters()
        assert not detection.quantized and not detection.custom_code
        assert detection.read_from == f"config.json, transformers {version()}"
    next((tmp_path / "sharded").glob("*.safetensors")).unlink()
    assert detect(tmp_path / "sharded").parameters is None

    config = json.loads((tmp_path / "whole" / "config.json").read_text())
    write(
        tmp_path / "whole",
        config | {"quantization_config": {"load_in_4bit": True}, "auto_map": {"AutoModel": "m.M"}},
    )
    detection = detect(tmp_path / "whole")
    assert (detection.quantized, detection.custom_code, detection.parameters) == (True, True, None)

    (tmp_path / "whole" / "config.json").write_text(json.dumps(config))
    (tmp_path / "whole" / "model.safetensors").write_bytes(b"<html>not found</html>")
    with pytest.raises(ModelError, match=r"model\.safetensors is not a safetensors file"):
        detect(tmp_path / "whole")


def test_our_own_checkpoint(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "model_type": "manus_omni",
        "text_config": {"model_type": "llama", "hidden_size": 48},
    }
    detection = detect(write(tmp_path, config))
    assert true_of(detection) == ["text"] and detection.language_model and detection.facts.hidden_size == 48
    assert true_of(detect(write(tmp_path, config | {"video_token_id": 5, "vision_config": None}))) == ["text"]
    parts = ("vision_config", "audio_config", "talker_config", "vision_output_config", "video_output_config")
    whole = config | {key: {} for key in parts} | {"video_token_id": 5}
    assert true_of(detect(write(tmp_path, whole))) == list(MODALITIES)


D, T = "diffusers", "transformers"
PIPELINES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "StableDiffusionPipeline": (
        ["text", "vision_output"],
        {"text_encoder": [T, "CLIPTextModel"], "unet": [D, "UNet2DConditionModel"],
         "vae": [D, "AutoencoderKL"], "image_encoder": [None, None], "safety_checker": [None, None],
         "feature_extractor": [T, "CLIPImageProcessor"]},
    ),
    "StableDiffusion3Pipeline": (
        ["text", "vision_output"],
        {"text_encoder_3": [T, "T5EncoderModel"], "transformer": [D, "SD3Transformer2DModel"],
         "vae": [D, "AutoencoderKL"]},
    ),
    "FluxFillPipeline": (
        ["text", "vision", "vision_output"],
        {"text_encoder": [T, "CLIPTextModel"], "transformer": [D, "FluxTransformer2DModel"]},
    ),
    "StableDiffusionControlNetPipeline": (
        ["text", "vision", "vision_output"],
        {"tokenizer": [T, "CLIPTokenizer"], "unet": [D, "UNet2DConditionModel"],
         "controlnet": [D, "ControlNetModel"]},
    ),
    "DDPMPipeline": (["vision_output"], {"unet": [D, "UNet2DModel"], "scheduler": [D, "DDPMScheduler"]}),
    "StableVideoDiffusionPipeline": (
        ["vision", "video_output"],
        {"image_encoder": [T, "CLIPVisionModelWithProjection"],
         "unet": [D, "UNetSpatioTemporalConditionModel"], "vae": [D, "AutoencoderKLTemporalDecoder"],
         "feature_extractor": [T, "CLIPImageProcessor"]},
    ),
    "AnimateDiffPipeline": (
        ["text", "video_output"],
        {"text_encoder": [T, "CLIPTextModel"], "unet": [D, "UNetMotionModel"], "vae": [D, "AutoencoderKL"],
         "motion_adapter": [D, "MotionAdapter"]},
    ),
    "WanPipeline": (
        ["text", "video_output"],
        {"text_encoder": [T, "UMT5EncoderModel"], "transformer": [D, "WanTransformer3DModel"],
         "vae": [D, "AutoencoderKLWan"]},
    ),
    "CogVideoXImageToVideoPipeline": (
        ["text", "vision", "video_output"],
        {"text_encoder": [T, "T5EncoderModel"], "transformer": [D, "CogVideoXTransformer3DModel"]},
    ),
    "CogVideoXVideoToVideoPipeline": (
        ["text", "video", "video_output"],
        {"text_encoder": [T, "T5EncoderModel"], "transformer": [D, "CogVideoXTransformer3DModel"]},
    ),
    "Cosmos2TextToImagePipeline": (
        ["text", "vision_output"],
        {"text_encoder": [T, "T5EncoderModel"], "transformer": [D, "CosmosTransformer3DModel"]},
    ),
    "AudioLDMPipeline": (
        ["text", "audio_out"],
        {"text_encoder": [T, "ClapTextModelWithProjection"], "unet": [D, "UNet2DConditionModel"],
         "vae": [D, "AutoencoderKL"], "vocoder": [T, "SpeechT5HifiGan"]},
    ),
    "StableAudioPipeline": (
        ["text", "audio_out"],
        {"text_encoder": [T, "T5EncoderModel"], "transformer": [D, "StableAudioDiTModel"],
         "vae": [D, "AutoencoderOobleck"]},
    ),
    "DanceDiffusionPipeline": (["audio_out"], {"unet": [D, "UNet1DModel"]}),
    "LTX2Pipeline": (
        ["text", "audio_out", "video_output"],
        {"text_encoder": [T, "Gemma3ForConditionalGeneration"],
         "transformer": [D, "LTX2VideoTransformer3DModel"],
         "audio_vae": [D, "AutoencoderKLLTX2Audio"], "vocoder": [D, "LTX2Vocoder"]},
    ),
    "WanSpeechToVideoPipeline": (
        ["text", "audio_in", "video_output"],
        {"text_encoder": [T, "UMT5EncoderModel"], "audio_encoder": [T, "Wav2Vec2ForCTC"],
         "transformer": [D, "WanS2VTransformer3DModel"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines(name: str, tmp_path: Path) -> None:
    expected, components = PIPELINES[name]
    index = {"_class_name": name, "_diffusers_version": "0.36.0", **components}
    detection = detect(write(tmp_path, index, "model_index.json"))
    assert (detection.kind, detection.model_type, detection.language_model) == ("diffusers", name, False)
    assert sorted(true_of(detection)) == sorted(expected)
    assert list(detection.evidence) == true_of(detection)


def test_pipeline_of_their_own_making(tmp_path: Path) -> None:
    index = {"_class_name": ["pipeline", "MyPipeline"], "unet": [D, "UNet2DModel"]}
    detection = detect(write(tmp_path, index, "model_index.json"))
    assert detection.custom_code and detection.model_type == "MyPipeline"
    write(tmp_path, {"_class_name": "MyPipeline", "scheduler": [D, "DDPMScheduler"]}, "model_index.json")
    with pytest.raises(ModelError, match="component that generates"):
        detect(tmp_path)


def test_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "base", {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]})
    monkeypatch.chdir(tmp_path)
    for base in (
        "base",
        str(tmp_path / "base"),
        "../base",
    ):  # below the working folder, absolute, from the adapter
        write(
            tmp_path / "adapter",
            {"peft_type": "LORA", "base_model_name_or_path": base},
            "adapter_config.json",
        )
        detection = detect(tmp_path / "adapter")
        assert (detection.kind, detection.model_type, detection.base) == ("adapter", "gemma3", base)
        assert true_of(detection) == ["text", "vision"] and detection.language_model


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("meta-llama/Llama-3", "'meta-llama/Llama-3' isn't on this machine"),
        (None, "names no base"),
        ("b", "leads back"),
    ],
)
def test_adapter_without_its_base(
    base: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # relative names are looked up there first
    write(
        tmp_path / "a",
        {"base_model_name_or_path": "../b" if base == "b" else base},
        "adapter_config.json",
    )
    write(tmp_path / "b", {"base_model_name_or_path": "../a"}, "adapter_config.json")
    with pytest.raises(ModelError, match=message):
        detect(tmp_path / "a")


def gguf_text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def gguf(path: Path, keys: dict[str, Any], tensors: list[tuple[tuple[int, ...], int]]) -> Path:
    """Write the header of a GGUF file with strings, integers, booleans and lists of strings."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    for key, value in keys.items():
        out += gguf_text(key)
        if isinstance(value, str):
            out += struct.pack("<I", 8) + gguf_text(value)
        elif isinstance(value, bool):
            out += struct.pack("<I?", 7, value)
        elif isinstance(value, int):
            out += struct.pack("<II", 4, value)
        elif isinstance(value[0], str):
            out += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(gguf_text, value))
        else:
            out += struct.pack("<IIQ", 9, 6, len(value)) + struct.pack(f"<{len(value)}f", *value)
    for number, (shape, kind) in enumerate(tensors):
        out += gguf_text(f"t{number}") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, 0)
    path.write_bytes(out)
    return path


LANGUAGE = {
    "general.architecture": "llama",
    "llama.embedding_length": 64,
    "llama.context_length": 512,
    "llama.block_count": 2,
    "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.ggml.scores": [0.0, 1.0, 2.0],
}


def test_gguf(tmp_path: Path) -> None:
    plain = detect(gguf(tmp_path / "m.gguf", LANGUAGE, [((64, 3), 1), ((64,), 0)]))
    assert (plain.kind, plain.model_type, plain.parameters, plain.quantized) == ("gguf", "llama", 256, False)
    assert (plain.facts.hidden_size, plain.facts.vocab_size) == (64, 3)
    assert (plain.facts.max_positions, plain.facts.layers) == (512, 2)
    assert true_of(plain) == ["text"] and plain.language_model
    assert detect(gguf(tmp_path / "m.gguf", LANGUAGE, [((64, 3), 12)])).quantized
    assert detect(tmp_path) == detect(tmp_path / "m.gguf")

    pooled = LANGUAGE | {"llama.pooling_type": 1}
    assert not detect(gguf(tmp_path / "m.gguf", pooled, [])).language_model
    projector = {
        "general.architecture": "clip",
        "clip.has_vision_encoder": True,
        "clip.has_audio_encoder": True,
    }
    assert true_of(detect(gguf(tmp_path / "mmproj.gguf", projector, []))) == ["vision", "audio_in"]
    with pytest.raises(ModelError, match=r"several .gguf files; name one: m.gguf, mmproj.gguf"):
        detect(tmp_path)


def test_gguf_agrees_with_the_gguf_package(tmp_path: Path) -> None:
    writer_of = pytest.importorskip("gguf").GGUFWriter
    import numpy as np

    writer = writer_of(tmp_path / "m.gguf", "qwen2")
    writer.add_context_length(256)
    writer.add_embedding_length(8)
    writer.add_block_count(1)
    writer.add_token_list(["x"] * 10)
    writer.add_tensor("token_embd.weight", np.zeros((10, 8), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    detection = detect(tmp_path / "m.gguf")
    assert (detection.model_type, detection.parameters, detection.facts.vocab_size) == ("qwen2", 80, 10)


@pytest.mark.parametrize("kept", [0, 3, 4, 20, 60, 150, 230])
def test_gguf_cut_off_anywhere_is_refused(kept: int, tmp_path: Path) -> None:
    file = gguf(tmp_path / "m.gguf", LANGUAGE, [((64, 3), 1)])
    assert kept < file.stat().st_size
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"m\.gguf (is|has)"):
        detect(file)


def test_gguf_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="architecture 'flux' and neither"):
        detect(gguf(tmp_path / "m.gguf", {"general.architecture": "flux"}, []))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "config.json is not valid JSON"),
        ("[]", "config.json holds no JSON object"),
        ({}, "names no model_type"),
        ({"model_type": 3}, "names no model_type"),
        (
            {"_class_name": "UNet2DModel"},
            "part of a diffusers pipeline; give the folder that holds model_index.json",
        ),
        ({"model_type": "lama"}, f"transformers {version()} does not know the model_type 'lama'.*is 'llama'"),
        (
            {"model_type": "qqqqq", "auto_map": {}},
            "'qqqqq'; the folder brings its own code, which is not run",
        ),
    ],
)
def test_broken_configurations(content: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        detect(write(tmp_path, content))
    assert str(tmp_path / "config.json") in str(caught.value)


def test_no_model_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is empty: it holds no config.json"):
        detect(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(
        ModelError, match=r"holds no config.json, model_index.json, adapter_config.json or .gguf file"
    ):
        detect(tmp_path)
    with pytest.raises(ModelError, match=r"notes.txt is a file; expected a model folder or a .gguf file"):
        detect(tmp_path / "notes.txt")
    with pytest.raises(ModelError, match="nowhere does not exist"):
        detect(tmp_path / "nowhere")


def test_detect_needs_neither_torch_nor_transformers(tmp_path: Path) -> None:
    write(tmp_path, {"model_type": "qwen2_5_omni"})
    code = (
        "import sys, pathlib\n"
        "from manus.models.detection.detect import detect\n"
        "assert detect(pathlib.Path(sys.argv[1])).modalities['audio_out']\n"
        "assert not {'torch', 'transformers'} & set(sys.modules), 'a heavy import'\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment)
