"""What encoders said of media is kept whole or not at all, and read as they said it."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from manus.data.media.store import MediaWriter
from manus.data.sample import MediumKind
from manus.errors import InputError
from manus.models.loading.composition import load_model
from manus.models.senses.omni_inputs import MediaInputs
from manus.training.batches.beside import Beside
from manus.training.batches.feature_cache import INDEX, PART, STATES, cached
from tests.pico_omni import with_senses
from tests.unit.data.media import corpus

ORDER = [3, 0, 2, 1, 0]  # a short sound, a picture, a long sound, a video, and the picture again


@pytest.fixture(scope="module")
def omni(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_senses(pico_base, tmp_path_factory.mktemp("omni"))


@pytest.fixture(scope="module")
def model(omni: Path) -> Any:
    return load_model(omni, torch.float32).eval()


@pytest.fixture(scope="module")
def inputs(omni: Path, tmp_path_factory: pytest.TempPathFactory) -> MediaInputs:
    data = tmp_path_factory.mktemp("data")
    media: list[tuple[MediumKind, bytes]] = [
        ("image", corpus.encoded(corpus.noise(30, 20), "PNG")),
        ("video", corpus.video(data / "made.mp4")),
        ("audio", corpus.wav(corpus.tone(1.5))),
        ("audio", corpus.wav(corpus.tone(0.5))),
    ]
    writer = MediaWriter(data)
    for kind, content in media:
        writer.add({"kind": kind, "bytes": content}, data)
    writer.finish()
    return MediaInputs.of(omni, data)


def features(model: Any, tensors: dict[str, Any]) -> dict[str, list[torch.Tensor]]:
    with torch.no_grad():
        found: dict[str, list[torch.Tensor]] = model.features_of(tensors)
    return found


def test_the_model_makes_the_same_of_kept_states_as_of_media(
    model: Any, inputs: MediaInputs, tmp_path: Path
) -> None:
    kept = features(model, cached(model, inputs, ORDER, tmp_path / "cache", Beside(), "stage").tensors(ORDER))
    seen = features(model, inputs.tensors(ORDER))
    assert kept.keys() == seen.keys() == {"image", "video", "audio"}
    for kind in seen:
        for one, other in zip(kept[kind], seen[kind], strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_a_whole_cache_is_used_and_one_that_was_cut_off_is_not(
    model: Any, inputs: MediaInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cached(model, inputs, ORDER, tmp_path / "cache", Beside(), "stage")
    asked: list[int] = []
    state = MediaInputs.state

    def counting(self: MediaInputs, model: Any, number: int, given: Any) -> Any:
        asked.append(number)
        return state(self, model, number, given)

    monkeypatch.setattr(MediaInputs, "state", counting)
    assert cached(model, inputs, ORDER, tmp_path / "cache", Beside(), "stage") == first and not asked
    (part := tmp_path / "cache" / PART.format(0, 1)).joinpath(INDEX).unlink()
    (part / STATES).write_bytes(b"half")
    assert cached(model, inputs, ORDER, tmp_path / "cache", Beside(), "stage") == first and asked == [
        0,
        1,
        2,
        3,
    ]


def test_a_disk_with_too_little_room_is_told_before_it_is_full(
    model: Any, inputs: MediaInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes first is short, and there would be room for as many as that."""
    numbers = list(range(len(inputs.files)))
    sizes = [inputs.state(model, number, inputs.tensors([number])).values.numel() * 4 for number in numbers]
    assert sizes[1] > sizes[0]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=sizes[0] * len(numbers)))
    with pytest.raises(InputError, match="set cache_features: false"):
        cached(model, inputs, numbers, tmp_path / "cache", Beside(), "stage")
    assert not list((tmp_path / "cache").rglob(INDEX))
