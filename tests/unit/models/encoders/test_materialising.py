import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoFeatureExtractor, AutoImageProcessor, AutoModel

from manus.errors import ModelError
from manus.models.encoders.families import FAMILIES
from manus.models.encoders.finding import find_encoder
from manus.models.encoders.loading import load_encoder, weights_digest
from manus.models.encoders.materialising import materialise
from manus.store.digests import Digests
from tests.unit.models.encoders.encoder_folders import write_model


def made(source: Path, sense: str, out: Path) -> dict:
    encoder = find_encoder(
        sense,  # type: ignore[arg-type]
        str(source),
        source.parent,
        Digests(source.parent / "digests.json"),
        {},
    )
    out.mkdir()
    return materialise(encoder, out, 0, out.parent)


def seen(model, prepared) -> torch.Tensor:
    with torch.no_grad():
        return model(**prepared).last_hidden_state


@pytest.mark.parametrize(
    "model_type", [name for name, family in FAMILIES.items() if family.sense == "vision"]
)
def test_a_vision_tower_sees_what_it_saw_in_the_whole_model(model_type: str, tmp_path: Path):
    whole = write_model(model_type, tmp_path / "whole")
    facts = made(tmp_path / "whole", "vision", tmp_path / "out")
    noise = np.random.default_rng(0).integers(0, 255, (50, 40, 3), dtype=np.uint8)
    preparer = AutoImageProcessor.from_pretrained(tmp_path / "out")
    prepared = preparer(Image.fromarray(noise), return_tensors="pt")
    tower = getattr(whole, "vision_model", None) or getattr(whole, "vit", None) or whole
    alone = AutoModel.from_pretrained(tmp_path / "out")
    assert type(alone).__name__ == FAMILIES[model_type].model
    assert torch.equal(seen(alone, prepared), seen(tower, prepared))
    other = preparer(Image.fromarray(noise[::-1].copy()), return_tensors="pt")
    assert not torch.equal(seen(alone, prepared), seen(alone, other))
    assert not any("text" in name for name in load_file(tmp_path / "out" / "model.safetensors"))
    assert facts["model_type"] == AutoConfig.from_pretrained(tmp_path / "out").model_type
    assert facts["sha256"] == weights_digest(load_encoder(tmp_path / "out").state_dict())


def test_whispers_encoder_hears_what_it_heard_in_the_whole_model(tmp_path: Path):
    whole = write_model("whisper", tmp_path / "whole")
    facts = made(tmp_path / "whole", "audio_input", tmp_path / "out")
    features = torch.randn(1, 80, 40, generator=torch.Generator().manual_seed(0))
    alone = load_encoder(tmp_path / "out")
    assert type(alone).__name__ == "WhisperEncoder"
    assert torch.equal(
        seen(alone, {"input_features": features}), seen(whole.model.encoder, {"input_features": features})
    )
    names = set(load_file(tmp_path / "out" / "model.safetensors"))
    assert names
    assert not any("decoder" in name or "proj_out" in name for name in names)
    assert AutoConfig.from_pretrained(tmp_path / "out").model_type == "whisper"
    assert AutoFeatureExtractor.from_pretrained(tmp_path / "out").feature_size == 80
    assert facts["sha256"] == weights_digest(alone.state_dict())
    again = made(tmp_path / "out", "audio_input", tmp_path / "again")
    assert again == facts


def test_the_stored_type_is_kept(tmp_path: Path):
    write_model("siglip", tmp_path / "whole")
    file = tmp_path / "whole" / "model.safetensors"
    save_file({name: tensor.bfloat16() for name, tensor in load_file(file).items()}, file, {"format": "pt"})
    config = json.loads((tmp_path / "whole" / "config.json").read_text())
    (tmp_path / "whole" / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    made(tmp_path / "whole", "vision", tmp_path / "out")
    assert {tensor.dtype for tensor in load_file(tmp_path / "out" / "model.safetensors").values()} == {
        torch.bfloat16
    }


def test_two_makings_are_the_same_to_the_last_byte(tmp_path: Path):
    write_model("vit", tmp_path / "whole")  # a classifier without the pooler that ViTModel has
    for name in ("one", "two"):
        torch.manual_seed(len(name) + ord(name[0]))
        made(tmp_path / "whole", "vision", tmp_path / name)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize("model_type", ["siglip", "whisper"])
def test_a_missing_weight_is_said(model_type: str, tmp_path: Path):
    write_model(model_type, tmp_path / "whole")
    file = tmp_path / "whole" / "model.safetensors"
    weights = load_file(file)
    lost = next(
        name for name in weights if "encoder.layers.1.self_attn.q_proj.weight" in name and "text" not in name
    )
    save_file({name: tensor for name, tensor in weights.items() if name != lost}, file, {"format": "pt"})
    with pytest.raises(ModelError, match=r"layers\.1\.self_attn\.q_proj\.weight"):
        made(tmp_path / "whole", FAMILIES[model_type].sense, tmp_path / "out")


def test_the_digest_of_weights_sees_every_bit_and_no_file():
    weights = {"a": torch.zeros(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}
    digest = weights_digest(weights)
    assert digest == weights_digest(dict(reversed(weights.items())))
    assert digest != weights_digest({**weights, "a": torch.zeros(3, 2)})
    assert digest != weights_digest({**weights, "a": torch.zeros(2, 3).double()})
    assert digest != weights_digest({"c": weights["a"], "b": weights["b"]})
    flipped = weights["a"].clone()
    flipped[1, 2] = 1e-30
    assert digest != weights_digest({**weights, "a": flipped})
