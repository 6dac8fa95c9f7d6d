"""One omni checkpoint with all senses, and its parts, for all tests of a module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoProcessor

from tests.unit.models.omni.small import film, omni, picture, sound, text_model, vision_encoder, whisper

QUESTION = "<|im_start|>user\n<|image|>and<|video|>and<|audio|>what<|im_end|>\n"


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("parts")
    return {
        "base": text_model("llama", root / "base"),
        "untied": text_model("llama", root / "untied", tie_word_embeddings=False),
        "vision": vision_encoder("siglip_vision_model", root / "vision"),
        "clip": vision_encoder("clip_vision_model", root / "clip"),
        "flexible": vision_encoder("siglip2_vision_model", root / "flexible"),
        "audio": whisper(root / "audio"),
    }


@pytest.fixture(scope="session")
def checkpoint(parts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return omni(parts["base"], tmp_path_factory.mktemp("omni") / "omni", parts["vision"], parts["audio"])


@pytest.fixture(scope="session")
def processor(checkpoint: Path) -> Any:
    return AutoProcessor.from_pretrained(checkpoint)


@pytest.fixture(scope="session")
def batch(processor: Any) -> Any:
    return processor(
        text=[QUESTION, QUESTION + "and you"],
        padding=True,
        images=[picture(0), picture(1, 90, 30)],
        videos=[film(0), film(1)],
        audio=[sound(0), sound(1, 1.5)],
    )
