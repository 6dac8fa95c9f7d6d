"""The encoder that learns emoji beside drawn scenes: it sees kinds never shown, and its key knows them."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from manus.data.generators import _emoji_package as emoji_package
from manus.data.generators import emoji
from manus.errors import DataError
from manus.models.encoders.trained import _emoji_pictures, pictures
from tests.seeds import SEED

SHORT = pictures.Effort(steps=4, scenes=2, emoji=2, measured_scenes=8)


def test_emoji_of_training_alone_are_shown_in_many_ways(monkeypatch: pytest.MonkeyPatch):
    shown = []
    real = _emoji_pictures._picture
    monkeypatch.setattr(_emoji_pictures, "_picture", lambda one: (shown.append(one), real(one))[1])
    made = _emoji_pictures.some(random.Random(0), 300)
    assert not set(shown) & set(emoji.of_side(True))
    assert {each.kind for each in made} == set(range(len(emoji_package.CATEGORIES)))
    assert [each.kind for each in made] == [emoji_package.CATEGORIES.index(one.category) for one in shown]
    assert len({each.pixels.tobytes() for each in made}) == 300
    assert {each.pixels.shape for each in made} == {(64, 64, 3)} and made[0].pixels.dtype == np.uint8
    assert len(_emoji_pictures.every(True)) == len(emoji.of_side(True))


def test_faces_and_clothes_never_shown_are_told_apart_and_not_from_shuffled_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    kinds = {"face", "clothing"}
    real = emoji.of_side
    monkeypatch.setattr(
        _emoji_pictures, "of_side", lambda held_out: [one for one in real(held_out) if one.category in kinds]
    )
    two = [[one for one in real(False) if one.category == kind] for kind in sorted(kinds)]
    monkeypatch.setattr(_emoji_pictures, "_by_kind", lambda: two)
    effort = {"steps": 40, "scenes": 1, "emoji": 10, "measured_scenes": 8, "learning_rate": 1e-3}
    _, _, taught = pictures.train(SEED, tmp_path / "taught", pictures.Effort(**effort))
    _, _, misled = pictures.train(SEED, tmp_path / "misled", pictures.Effort(**effort, is_shuffled=True))
    assert taught["held_out"]["emoji"] > 0.75 > 0.65 > misled["held_out"]["emoji"]


def test_the_same_seed_gives_the_same_bits_and_another_others(tmp_path: Path):
    one, again, other = (
        pictures.train(seed, tmp_path / name, SHORT)[0].state_dict()
        for seed, name in ((3, "a"), (3, "b"), (4, "c"))
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_its_key_sees_which_emoji_are_held_out_and_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch,
):
    before = pictures.identity()
    assert pictures.identity() == before
    monkeypatch.setattr(_emoji_pictures, "of_side", lambda held_out: emoji.of_side(held_out)[1:])
    assert pictures.identity() != before
    monkeypatch.undo()
    monkeypatch.setattr(emoji_package, "FOLDER", "no_such_package")
    emoji_package.emoji.cache_clear()
    with pytest.raises(DataError, match=r"python -m manus\.data\.generators\._emoji_package"):
        pictures.identity()
    emoji_package.emoji.cache_clear()
