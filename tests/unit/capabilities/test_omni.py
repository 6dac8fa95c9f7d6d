"""Which captions the retrieval can look for."""

from __future__ import annotations

from typing import Any

import pytest

from manus.capabilities.omni import can_score

AUDIO, IMAGE = "<|audio|>", "<|image|>"


@pytest.mark.parametrize(
    ("kinds", "content", "can"),
    [
        (["audio"], AUDIO, True),
        (["image"], f"{IMAGE}\nWhat is it?", True),
        (["audio"] * 3, f"{AUDIO}{AUDIO}{AUDIO}\nWrite it down.", True),  # a sound in pieces
        (["audio"] * 2, f"{AUDIO} and {AUDIO}", False),
        (["image", "audio"], f"{IMAGE}{AUDIO}", False),
        (["image", "image"], f"{IMAGE}{IMAGE}", False),
        ([], "What?", False),
    ],
)
def test_a_caption_is_of_one_medium(kinds: list[str], content: str, can: bool) -> None:
    sample: Any = {
        "messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "A bird sings."}],
        "media": [{"kind": kind} for kind in kinds],
    }
    assert can_score(sample) == can
    assert not can_score({**sample, "level": "question"})
