from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoProcessor,
    AutoTokenizer,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    SiglipConfig,
    SiglipModel,
    WhisperModel,
)

from manus.errors import ModelError
from manus.models.detection.detect import detect
from manus.models.loading.composition import load_model
from manus.models.omni.conversion import assemble
from manus.models.omni.settings import OmniSettings
from tests.unit.models.omni.small import SEEN, omni, sound, text_model, vision_encoder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def references(parts: dict[str, Path]) -> dict[str, dict[str, str]]:
    return {sense: {"folder": str(parts[sense])} for sense in ("vision", "audio")}


def test_a_checkpoint_says_which_senses_it_has(
    checkpoint: Path, parts: dict[str, Path], tmp_path: Path
) -> None:
    has = {name for name, is_there in detect(checkpoint).modalities.items() if is_there}
    assert has == {"text", "vision", "video", "audio_in"}
    assert detect(checkpoint).language_model
    assert detect(checkpoint).facts == detect(parts["base"]).facts
    only = {
        "vision": (parts["vision"], None, {"text", "vision", "video"}),
        "audio": (None, parts["audio"], {"text", "audio_in"}),
    }
    for name, (vision, audio, expected) in only.items():
        folder = omni(parts["base"], tmp_path / name, vision, audio)
        (folder / "model.safetensors").unlink()  # the configuration is enough
        assert {name for name, is_there in detect(folder).modalities.items() if is_there} == expected


def test_encoders_that_are_referred_to_are_not_stored(
    parts: dict[str, Path], checkpoint: Path, batch: Any, tmp_path: Path
) -> None:
    folder = omni(
        parts["base"], tmp_path / "omni", parts["vision"], parts["audio"], references=references(parts)
    )
    assert not any("encoder" in name for name in weights(folder))
    assert any("vision_encoder" in name for name in weights(checkpoint))
    model, embedded = load_model(folder, torch.float32), load_model(checkpoint, torch.float32)
    assert torch.equal(model(**batch).logits, embedded(**batch).logits)
    assert not any(parameter.requires_grad for parameter in model.vision_encoder.parameters())
    model.save_pretrained(tmp_path / "again")
    assert weights(tmp_path / "again").keys() == weights(folder).keys()
    again = load_model(tmp_path / "again", torch.float32)
    assert again.config.encoders == model.config.encoders and set(again.config.encoders) == {
        "vision",
        "audio",
    }
    assert torch.equal(again(**batch).logits, model(**batch).logits)


def test_one_encoder_can_be_stored_and_the_other_referred_to(
    parts: dict[str, Path], batch: Any, checkpoint: Path, tmp_path: Path
) -> None:
    mixed = {"vision": references(parts)["vision"]}
    folder = omni(parts["base"], tmp_path / "omni", parts["vision"], parts["audio"], references=mixed)
    stored = {name.split(".")[0] for name in weights(folder)}
    assert stored == {"language_model", "vision_projector", "audio_encoder", "audio_projector"}
    expected = load_model(checkpoint, torch.float32)(**batch).logits
    assert torch.equal(load_model(folder, torch.float32)(**batch).logits, expected)


def test_another_encoder_in_its_place_is_refused(parts: dict[str, Path], tmp_path: Path) -> None:
    moved = Path(shutil.copytree(parts["vision"], tmp_path / "vision"))
    folder = omni(
        parts["base"], tmp_path / "omni", moved, None, references={"vision": {"folder": str(moved)}}
    )
    load_model(folder, torch.float32)
    changed = weights(moved)
    changed[min(changed)][0] += 1
    save_file(changed, moved / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="not the one this checkpoint was made with"):
        load_model(folder, torch.float32)
    shutil.rmtree(moved)
    with pytest.raises(ModelError, match="is gone"):
        load_model(folder, torch.float32)


def test_an_encoder_on_the_hub_that_cannot_be_had_is_said(parts: dict[str, Path], tmp_path: Path) -> None:
    reference = {"vision": {"hub": "nobody/nothing-of-this-name", "revision": "0" * 40}}
    folder = omni(parts["base"], tmp_path / "omni", parts["vision"], None, references=reference)
    with pytest.raises(
        ModelError, match=r"nobody/nothing-of-this-name@0+ cannot be had .*embed_encoders: true"
    ):
        load_model(folder, torch.float32)


def test_a_reference_is_loaded_in_the_type_asked_for(
    parts: dict[str, Path], tmp_path: Path, batch: Any
) -> None:
    folder = omni(
        parts["base"], tmp_path / "omni", parts["vision"], parts["audio"], references=references(parts)
    )
    model = load_model(folder, torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert model(**batch).logits.isfinite().all()


def test_saving_twice_writes_the_same(checkpoint: Path, tmp_path: Path) -> None:
    for name, source in (("first", checkpoint), ("second", tmp_path / "first")):
        load_model(source, torch.float32).save_pretrained(tmp_path / name)
        AutoProcessor.from_pretrained(source).save_pretrained(tmp_path / name)
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes(), file.name


def test_the_seed_draws_the_projectors(parts: dict[str, Path], checkpoint: Path, tmp_path: Path) -> None:
    again, other = (
        omni(parts["base"], tmp_path / str(n), parts["vision"], parts["audio"], seed=n) for n in (0, 1)
    )
    differing = {
        name for name, weight in weights(checkpoint).items() if not torch.equal(weight, weights(other)[name])
    }
    assert (again / "model.safetensors").read_bytes() == (checkpoint / "model.safetensors").read_bytes()
    assert differing == {
        f"{sense}_projector.linear_{end}.weight" for sense in ("vision", "audio") for end in ("in", "out")
    }


def test_the_tokenizer_reads_text_as_before(checkpoint: Path, parts: dict[str, Path]) -> None:
    ours, theirs = AutoTokenizer.from_pretrained(checkpoint), AutoTokenizer.from_pretrained(parts["base"])
    text = "<|im_start|>user\nwhat do you see? <|draw it|>\n\n 123<|im_end|>"
    assert ours(text)["input_ids"] == theirs(text)["input_ids"]
    assert ours.chat_template == theirs.chat_template
    config = AutoConfig.from_pretrained(checkpoint)
    tokens = {"image": "<|image|>", "video": "<|video|>", "audio": "<|audio|>"}
    assert config.placeholder_ids == {kind: ours(token)["input_ids"][0] for kind, token in tokens.items()}
    assert len(ours("<|speech|><|draw|>")["input_ids"]) == 2


def test_the_encoder_may_be_a_part_of_a_larger_model(parts: dict[str, Path], tmp_path: Path) -> None:
    text = {
        "vocab_size": 32,
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    wholes = {
        "clip": CLIPModel(CLIPConfig(text_config=text, vision_config=SEEN)),
        "vision": SiglipModel(SiglipConfig(text_config=text, vision_config=SEEN)),
    }
    for name, whole in wholes.items():
        whole.save_pretrained(tmp_path / name)
        shutil.copy(parts[name] / "preprocessor_config.json", tmp_path / name)
        model = load_model(
            omni(parts["base"], tmp_path / f"omni-{name}", tmp_path / name, None), torch.float32
        )
        pixels = torch.randn(1, 3, 32, 32)
        expected = whole.eval().vision_model(pixels, output_hidden_states=True).hidden_states[-2]
        assert torch.equal(model.encode_images(pixels), expected[:, expected.shape[1] - 16 :])


def test_only_the_encoder_of_whisper_is_kept(
    parts: dict[str, Path], checkpoint: Path, processor: Any
) -> None:
    whole = WhisperModel.from_pretrained(parts["audio"]).eval()
    features = processor.features(sound())[None]
    model = load_model(checkpoint, torch.float32)
    assert torch.equal(model.encode_audio(features), whole.get_encoder()(features).last_hidden_state)
    model.audio_encoder.save_pretrained(parts["audio"].parent / "alone")
    shutil.copy(parts["audio"] / "preprocessor_config.json", parts["audio"].parent / "alone")
    from_alone = omni(
        parts["base"], parts["audio"].parent / "omni-alone", parts["vision"], parts["audio"].parent / "alone"
    )
    assert weights(from_alone).keys() == weights(checkpoint).keys()
    assert all(torch.equal(value, weights(checkpoint)[name]) for name, value in weights(from_alone).items())


def test_the_window_of_hearing_can_be_shortened(parts: dict[str, Path], tmp_path: Path) -> None:
    folder = omni(
        parts["base"],
        tmp_path / "omni",
        None,
        parts["audio"],
        settings={"longest_audio_seconds": 0.5},
        references={"audio": references(parts)["audio"]},
    )
    model, processor = load_model(folder, torch.float32), AutoProcessor.from_pretrained(folder)
    assert model.audio_encoder.embed_positions.weight.shape[0] == 25
    assert processor.features(sound()).shape[-1] == 50
    assert processor(text="<|audio|>", audio=sound(0, 0.5))["input_ids"].shape[1] == 7
    with pytest.raises(ValueError, match="can be heard"):
        processor(text="<|audio|>", audio=sound(0, 0.7))
    with pytest.raises(ModelError, match=r"longest_audio_seconds: 31\.0 is not within 0\.02 \.\.\. 2"):
        omni(parts["base"], tmp_path / "o", None, parts["audio"], settings={"longest_audio_seconds": 31.0})


def test_a_base_in_bfloat16_stays_as_it_is(parts: dict[str, Path], tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(parts["base"]).to(torch.bfloat16).save_pretrained(tmp_path / "base")
    AutoTokenizer.from_pretrained(parts["base"]).save_pretrained(tmp_path / "base")
    stored = weights(omni(tmp_path / "base", tmp_path / "omni", parts["vision"], None))
    for name, weight in weights(tmp_path / "base").items():
        assert torch.equal(stored[f"language_model.{name}"], weight)
        assert stored[f"language_model.{name}"].dtype == torch.bfloat16
    vision = {name: value for name, value in weights(parts["vision"]).items() if "head" not in name}
    assert all(torch.equal(stored[f"vision_encoder.{name}"], weight) for name, weight in vision.items())


def test_facts_say_what_was_made(parts: dict[str, Path], tmp_path: Path) -> None:
    facts = assemble(
        parts["base"], tmp_path, parts["vision"], parts["audio"], OmniSettings(vision_pixel_shuffle=1)
    )
    assert facts["senses"] == ["audio", "image", "video"]
    assert (facts["image_tokens"], facts["frame_tokens"], facts["audio_tokens_per_second"]) == (16, 4, 12.5)
    counted = sum(weight.numel() for weight in weights(tmp_path).values())
    assert sum(facts["parameters"].values()) == counted  # tied embeddings are one


def _broken(parts: dict[str, Path], tmp_path: Path) -> dict[str, tuple[Any, str]]:
    vision_encoder("siglip_vision_model", tmp_path / "bare")
    (tmp_path / "bare" / "preprocessor_config.json").unlink()
    (tmp_path / "empty").mkdir()
    mamba = {
        "num_heads": 4,
        "head_dim": 8,
        "state_size": 8,
        "n_groups": 1,
        "expand": 1,
        "hidden_size": 32,
        "num_hidden_layers": 1,
    }
    AutoModelForCausalLM.from_config(AutoConfig.for_model("mamba2", vocab_size=300, **mamba)).save_pretrained(
        tmp_path / "mamba"
    )
    CLIPVisionConfig(**SEEN).save_pretrained(tmp_path / "config")
    return {
        "no encoder": ((parts["base"], None, None), "needs an encoder"),
        "text as vision": (
            (parts["base"], parts["base"], None),
            "'llama' is no vision encoder that works here",
        ),
        "vision as audio": (
            (parts["base"], None, parts["vision"]),
            "is no audio_input encoder that works here",
        ),
        "no processor": ((parts["base"], tmp_path / "bare", None), "cannot load its image processor"),
        "no config": ((parts["base"], tmp_path / "empty", None), "has no config.json"),
        "no weights": ((parts["base"], tmp_path / "config", None), "the encoder in .* cannot be loaded"),
        "mamba": ((tmp_path / "mamba", parts["vision"], None), "cannot get senses: .*keeps a state"),
    }


def test_what_does_not_go_together_is_refused(parts: dict[str, Path], tmp_path: Path) -> None:
    for name, (given, message) in _broken(parts, tmp_path).items():
        with pytest.raises(ModelError, match=message):
            assemble(given[0], tmp_path / f"omni {name}", given[1], given[2])
        assert not (tmp_path / f"omni {name}").exists(), name


def test_layers_that_look_tokens_up_are_refused(parts: dict[str, Path], tmp_path: Path) -> None:
    folder = text_model("llama", tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size_per_layer_input": 8}))
    with pytest.raises(ModelError, match="looks tokens up in every layer"):
        assemble(folder, tmp_path / "omni", parts["vision"], None)
