from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoProcessor

from manus.data.sample import PLACEHOLDERS
from manus.models.omni.layout import MediaLayout
from tests.unit.models.omni.small import film, omni, picture, sound

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@pytest.fixture(scope="module")
def flexible(parts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return omni(
        parts["base"], tmp_path_factory.mktemp("flexible") / "omni", parts["flexible"], parts["audio"]
    )


def count(processor: Any, inputs: Any, kind: str) -> int:
    return int((inputs["input_ids"] == processor.tokenizer.convert_tokens_to_ids(PLACEHOLDERS[kind])).sum())


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    frames=st.integers(1, 9),
    samples=st.integers(0, 32_000),
)
@settings(max_examples=25, **COMMON)
def test_layout_and_processor_count_alike(
    flexible: Path, checkpoint: Path, width: int, height: int, frames: int, samples: int
) -> None:
    for folder in (flexible, checkpoint):
        layout, processor = (
            MediaLayout.of(folder),
            PROCESSORS.setdefault(folder, AutoProcessor.from_pretrained(folder)),
        )
        video = np.zeros((frames, height, width, 3), np.uint8)
        audio = np.zeros(samples, np.float32)
        inputs = processor(
            text="<|audio|>a<|image|>b<|video|>",
            images=Image.new("RGB", (width, height)),
            videos=video,
            audio=audio,
        )
        assert count(processor, inputs, "image") == layout.image_tokens(width, height)
        times = layout.frame_times(frames / layout.frames_per_second)
        assert len(inputs["pixel_values_videos"]) == len(times)
        assert count(processor, inputs, "video") == len(times) * layout.frame_tokens(width, height)
        tokens = layout.audio_tokens(samples / 16_000)
        assert count(processor, inputs, "audio") == inputs["audio_tokens"].item() == tokens
        if "spatial_shapes" in inputs:
            assert tuple(inputs["spatial_shapes"][0].tolist()) == layout.patches(width, height)


PROCESSORS: dict[Path, Any] = {}


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (3, 1), (1, 400), (2000, 1)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "1"])
def test_pictures_of_any_size_and_mode_are_prepared(processor: Any, size: tuple[int, int], mode: str) -> None:
    assert processor.pixels(Image.new(mode, size)).shape == (3, 32, 32)


def test_one_medium_is_prepared_as_many_are(processor: Any) -> None:
    inputs = processor(
        text="<|image|><|video|><|audio|>", images=picture(), videos=film(frames=2), audio=sound()
    )
    assert torch.equal(processor.pixels(picture()), inputs["pixel_values"][0])
    assert torch.equal(processor.frame_pixels(film(frames=2)), inputs["pixel_values_videos"])
    assert torch.equal(processor.features(sound()), inputs["input_features"][0])


def test_nothing_of_a_picture_is_cut_off(parts: dict[str, Path], tmp_path: Path) -> None:
    clip = AutoProcessor.from_pretrained(omni(parts["base"], tmp_path / "omni", parts["clip"], None))
    wide = Image.new("RGB", (400, 40))
    wide.paste((255, 255, 255), (0, 0, 40, 40))
    marked, plain = clip.pixels(wide), clip.pixels(Image.new("RGB", (400, 40)))
    assert marked.shape == (3, 32, 32)
    assert not torch.equal(marked, plain)


def test_frames_carry_their_times(processor: Any) -> None:
    inputs = processor(text="<|video|>", videos=film(frames=6))  # 3 s at 2 frames a second, at most 3 frames
    assert (
        processor.decode(inputs["input_ids"][0])
        == "<0.5 seconds><|video|><1.5 seconds><|video|><2.5 seconds><|video|>"
    )
    assert torch.equal(inputs["pixel_values_videos"], processor.frame_pixels(film(frames=6)[[1, 3, 5]]))


def test_conversations_with_parts_use_the_text_template(processor: Any) -> None:
    def asked(*parts: Any) -> list[dict[str, Any]]:
        return [{"role": "user", "content": list(parts)}, {"role": "assistant", "content": "yes"}]

    rows = [
        asked({"type": "image", "image": picture(0)}, {"type": "text", "text": "what"}),
        asked(
            {"type": "text", "text": "hear"},
            {"type": "audio", "audio": sound()},
            {"type": "image", "image": picture(1)},
        ),
    ]
    text = processor.apply_chat_template(rows[0])
    assert text == "<|im_start|>user\n<|image|>what<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n"
    inputs = processor.apply_chat_template(
        rows, tokenize=True, return_dict=True, return_tensors="pt", padding=True
    )
    again = processor(
        text=[text, processor.apply_chat_template(rows[1])],
        images=[picture(0), picture(1)],
        audio=sound(),
        padding=True,
    )
    assert inputs.keys() == again.keys()
    assert all(torch.equal(inputs[name], again[name]) for name in inputs)
    plain = [{"role": "user", "content": "what do you see"}]
    expected = processor.tokenizer.apply_chat_template(plain, tokenize=True, add_generation_prompt=True)[
        "input_ids"
    ]
    assert (
        processor.apply_chat_template(plain, tokenize=True, add_generation_prompt=True)[0].tolist()
        == expected
    )


def test_a_file_is_as_good_as_a_picture(processor: Any, tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")

    def asked(image: Any) -> Any:
        row = [
            {"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": "what"}]}
        ]
        return processor.apply_chat_template(row, add_generation_prompt=True, tokenize=True, return_dict=True)

    one, other = asked(str(tmp_path / "a.png")), asked(picture())
    assert all(torch.equal(one[name], other[name]) for name in ("input_ids", "pixel_values"))


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"text": "<|image|><|image|>", "images": [picture()]}, r"more <\|image\|> in the text"),
        ({"text": "what", "images": [picture()]}, "media without a placeholder in the text"),
        (
            {"text": "<|video|>", "videos": np.zeros((2, 8, 8), np.uint8)},
            r"frames must be uint8 \[T, H, W, 3\]",
        ),
        ({"text": "<|audio|>", "audio": np.zeros((2, 800))}, "sound must be mono"),
        ({"text": "<|audio|>", "audio": sound(0, 2.5)}, "from 0 to 2 s can be heard"),
    ],
)
def test_what_does_not_fit_is_refused(processor: Any, given_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        processor(**given_)


def test_a_user_cannot_write_a_placeholder(processor: Any) -> None:
    with pytest.raises(ValueError, match=r"a text holds <\|image\|>"):
        processor.apply_chat_template([{"role": "user", "content": "look: <|image|>"}])
    with pytest.raises(ValueError, match=r"a text holds <\|speech\|>"):
        processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "text", "text": "say <|speech|>"}]}]
        )
    with pytest.raises(ValueError, match="a part of type 'smell'"):
        processor.apply_chat_template([{"role": "user", "content": [{"type": "smell"}]}])
    with pytest.raises(ValueError, match="a part of type 'image' without 'image' or"):
        processor.apply_chat_template([{"role": "user", "content": [{"type": "image"}]}])
