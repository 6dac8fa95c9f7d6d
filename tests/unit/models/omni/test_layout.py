from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.siglip2.image_processing_pil_siglip2 import get_image_size_for_max_num_patches

from manus.errors import ModelError
from manus.models.omni.layout import MediaLayout

FIXED = MediaLayout(grid=(5, 7), audio_positions=1500)
FLEXIBLE = MediaLayout(patch_size=16, most_patches=256)
SIDES = st.integers(1, 20_000)


@given(SIDES, SIDES, st.sampled_from([8, 14, 16]), st.sampled_from([12, 256, 1024]))
@settings(max_examples=300, deadline=None)
def test_a_flexible_picture_has_the_patches_of_siglip2(
    width: int, height: int, patch: int, most: int
) -> None:
    theirs = get_image_size_for_max_num_patches(height, width, patch, most)
    assert MediaLayout(patch_size=patch, most_patches=most).patches(width, height) == tuple(
        side // patch for side in theirs
    )


def test_a_fixed_picture_is_padded_to_whole_tokens() -> None:
    assert FIXED.image_tokens(640, 480) == FIXED.image_tokens(1, 9000) == 3 * 4
    assert FIXED.frame_tokens(640, 480) == 2 * 2


def test_frames_are_spread_evenly_and_limited() -> None:
    assert MediaLayout(frames_per_second=1, most_frames=4).frame_times(2) == [0.5, 1.5]
    assert MediaLayout(frames_per_second=1, most_frames=4).frame_times(100) == [12.5, 37.5, 62.5, 87.5]
    assert MediaLayout().frame_times(0) == [0.0]


@given(st.floats(0, 1e5), st.floats(0.1, 30), st.integers(1, 64))
def test_frame_times_lie_within_the_video(seconds: float, rate: float, most: int) -> None:
    times = MediaLayout(frames_per_second=rate, most_frames=most).frame_times(seconds)
    assert 1 <= len(times) <= most
    assert times == sorted(times)
    assert all(0 <= time <= seconds for time in times)


def test_sound_needs_only_its_own_tokens() -> None:
    assert [FIXED.audio_tokens(seconds) for seconds in (0, 0.02, 0.08, 0.081, 1, 30, 30.05)] == [
        1,
        1,
        1,
        2,
        13,
        375,
        375,
    ]
    with pytest.raises(ValueError, match=r"31\.0 s; from 0 to 30 s can be heard: cut it"):
        FIXED.audio_tokens(31)


def test_placeholders_are_expanded_in_order() -> None:
    layout = MediaLayout(grid=(4, 4), audio_positions=100, frames_per_second=1, most_frames=2)
    facts = [
        {"kind": "audio", "seconds": 0.1},
        {"kind": "video", "width": 9, "height": 9, "seconds": 2.0},
        {"kind": "image", "width": 9, "height": 9},
    ]
    text = layout.expanded("a<|audio|>b<|video|>c<|image|>", facts)
    frames = "<0.5 seconds><|video|><1.5 seconds><|video|>"
    assert text == f"a{'<|audio|>' * 2}b{frames}c{'<|image|>' * 4}"


@pytest.mark.parametrize(
    ("text", "kinds", "message"),
    [
        ("<|image|><|image|>", ["image"], "2 placeholders in the text, 1 media"),
        ("<|image|>", ["audio"], "where the medium is of kind 'audio'"),
        ("<|audio|>", ["audio"], "no hearing"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, kinds: list[str], message: str) -> None:
    facts = [{"kind": kind, "width": 9, "height": 9, "seconds": 1.0} for kind in kinds]
    with pytest.raises(ValueError, match=message):
        FLEXIBLE.expanded(text, facts)


def test_senses_are_those_with_an_encoder() -> None:
    assert FIXED.senses == {"image", "video", "audio"}
    assert FLEXIBLE.senses == {"image", "video"}
    assert MediaLayout().senses == set()
    with pytest.raises(ValueError, match="no vision"):
        MediaLayout().image_tokens(3, 3)


def test_a_layout_is_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "processor_config.json").write_text(json.dumps({"layout": FIXED.to_dict()}))
    assert MediaLayout.of(tmp_path) == FIXED
    (tmp_path / "processor_config.json").write_text("{}")
    with pytest.raises(ModelError, match="not that of an omni checkpoint"):
        MediaLayout.of(tmp_path)
