"""Which configurations see or hear by themselves, and what a recipe may do with such a base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manus.models.base import Base
from manus.models.native.recognising import own_senses
from manus.models.senses.settings import kept, senses_of


@pytest.mark.parametrize(
    ("config", "senses"),
    [
        ({"model_type": "llava"}, {"vision"}),
        (
            {"model_type": "qwen2_5_vl", "architectures": ["Qwen2_5_VLForConditionalGeneration"]},
            {"vision", "video"},
        ),
        ({"model_type": "gemma3"}, {"vision"}),
        ({"model_type": "smolvlm"}, {"vision"}),
        ({"model_type": "internvl"}, {"vision"}),
        ({"model_type": "qwen2_audio"}, {"audio_in"}),
        ({"model_type": "voxtral"}, {"audio_in"}),
        ({"model_type": "gemma3_text"}, set()),
        ({"model_type": "no-such-type"}, set()),
        ({"model_type": "qwen2_vl", "architectures": ["Qwen2VLTextModel"]}, set()),
        ({"model_type": "llama"}, set()),
        ({"model_type": "whisper"}, set()),
        ({"model_type": "clip"}, set()),
        ({"model_type": "manus_omni", "vision_config": {}}, set()),
    ],
)
def test_what_a_configuration_takes_in_by_itself(config: dict[str, Any], senses: set[str]) -> None:
    found = own_senses({"vision_config": {}, **config})
    assert found == senses or found - {"video"} == senses


def base(folder: Path | None, **changes: Any) -> Base:
    return Base(**{"spec": "base", "kind": "directory", "path": folder, "digest": "d", **changes})


def written(folder: Path, config: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config)
    return folder


def test_a_base_that_sees_takes_frames_as_pictures(tmp_path: Path) -> None:
    seeing = base(written(tmp_path, '{"model_type": "llava", "vision_config": {}}'))
    assert senses_of(seeing) == {"vision", "video"}
    assert kept(seeing) == "base_model 'base' sees by itself, with encoders and a processor that it keeps"


def test_a_base_of_text_gets_senses(tmp_path: Path) -> None:
    text = base(written(tmp_path, '{"model_type": "llama"}'))
    assert senses_of(text) == set() and kept(text) is None
    assert senses_of(base(tmp_path / "m.gguf", kind="gguf")) == set()


def test_a_base_on_the_hub_is_known_when_it_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    far = base(None, spec="who/what", kind="hub", revision="a1")
    assert senses_of(far) is None and kept(far) is None
    written(
        tmp_path / "models--who--what" / "snapshots" / "a1",
        '{"model_type": "qwen2_audio", "audio_config": {}}',
    )
    assert senses_of(far) == {"audio_in"}
    assert "hears by itself" in (kept(far) or "")
