"""A file that a user attaches is seen and heard as the same file in data for training is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from manus.data.media.files import MediaFiles
from manus.data.media.store import MediaWriter
from manus.data.sample import MediumKind
from manus.errors import DataError
from manus.models.omni.reading import read_audio, read_frames, read_image, video_facts
from tests.unit.data.media import corpus

TIMES = [0.05, 12.0, 1.0]


def kept(folder: Path, name: str, content: bytes, kind: MediumKind) -> MediaFiles:
    (folder / name).write_bytes(content)
    writer = MediaWriter(folder)
    writer.add({"kind": kind, "file": name}, folder)
    writer.finish()
    writer.close()
    return MediaFiles(folder)


def test_a_turned_picture(tmp_path: Path) -> None:
    files = kept(tmp_path, "a.jpg", corpus.turned(6), "image")
    assert read_image(tmp_path / "a.jpg").size == (20, 40)
    assert np.array_equal(read_image(tmp_path / "a.jpg"), files.image(0))


def test_a_turned_video(tmp_path: Path) -> None:
    files = kept(tmp_path, "a.mp4", corpus.turned_video(tmp_path / "made.mp4"), "video")
    facts = video_facts(tmp_path / "a.mp4")
    assert (facts["width"], facts["height"]) == (48, 64)
    assert facts == files.facts(0)
    frames = read_frames(tmp_path / "a.mp4", TIMES)
    assert frames.shape == (3, 64, 48, 3)
    assert np.array_equal(frames, files.frames(0, TIMES))


def test_a_sound_of_another_rate(tmp_path: Path) -> None:
    files = kept(tmp_path, "a.wav", corpus.wav(corpus.tone(1.25), 22_050), "audio")
    assert np.array_equal(read_audio(tmp_path / "a.wav"), files.audio(0))


@pytest.mark.parametrize("read", [read_image, video_facts, read_audio])
def test_what_cannot_be_read_is_said_with_its_name(read: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "torn").write_bytes(b"no medium")
    for name in ("torn", "missing", "."):
        with pytest.raises(DataError, match=str(tmp_path / name)):
            read(tmp_path / name)
