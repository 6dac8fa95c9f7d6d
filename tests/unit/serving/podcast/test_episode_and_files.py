"""An episode is decoded again: as long and loud as what was written, with its chapters and tags."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest

from manus.errors import InputError
from manus.serving.podcast.episode import FORMATS, Line, format_of, write_sound, write_transcript
from manus.serving.podcast.files import whole_or_absent
from manus.serving.podcast.mixing import levelled, loudness

CHAPTERS = [("One", 0.0), ("Zwei: ü", 2.5)]
TAGS = {"title": "The ferry ü", "artist": "Ada, Ben", "language": "", "comment": "Synthetic voices"}


def decoded(path: Path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]), rate


@pytest.mark.parametrize("rate", [22_050, 24_000])
@pytest.mark.parametrize("ending", sorted(FORMATS))
def test_what_is_written_is_heard(ending: str, rate: int, tmp_path: Path) -> None:
    sound = levelled((0.1 * np.random.default_rng(0).standard_normal(5 * rate)).astype(np.float32), rate)
    smooth = np.convolve(sound, np.ones(8) / 8, "same").astype(np.float32)  # no codec keeps white noise
    sound = levelled(smooth, rate)
    path = tmp_path / f"e{ending}"
    write_sound(path, sound, rate, TAGS, CHAPTERS)
    heard, heard_rate = decoded(path)
    assert len(heard) / heard_rate == pytest.approx(5, abs=0.1)
    assert loudness(heard, heard_rate) == pytest.approx(-16, abs=0.5)
    with av.open(str(path)) as container:
        tags = {**container.metadata, **container.streams.audio[0].metadata}
        chapters = [(c["metadata"]["title"], c["start"] * c["time_base"]) for c in container.chapters()]
    assert {name: tags[name] for name in ("title", "artist", "comment")} == {
        name: TAGS[name] for name in ("title", "artist", "comment")
    }
    assert chapters == ([] if ending == ".wav" else CHAPTERS)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_other_endings_are_refused() -> None:
    with pytest.raises(InputError, match=r"ends in .mp3, .opus, .ogg, .wav"):
        format_of(Path("e.flac"))


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    (tmp_path / "e.wav").write_text("before")
    with pytest.raises(KeyboardInterrupt), whole_or_absent(tmp_path / "e.wav") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert (tmp_path / "e.wav").read_text() == "before" and len(list(tmp_path.iterdir())) == 1


CUE = re.compile(r"(\d+)\n(\d\d):(\d\d):(\d\d\.\d{3}) --> (\d\d):(\d\d):(\d\d\.\d{3})\n<v ([^>]+)>([^\n]+)\n")


def test_a_transcript_says_who_says_what_and_when(tmp_path: Path) -> None:
    lines = [Line("Ada", "1 < 2 &\n--> so", 0.0, 1.9996), Line("Ben", "Later.", 3661.5, 3662.0)]
    write_transcript(tmp_path / "t.vtt", lines)
    head, _, rest = (tmp_path / "t.vtt").read_text(encoding="utf-8").partition("\n\n")
    assert head == "WEBVTT" and re.sub(CUE, "", rest).strip() == ""
    first, second = CUE.findall(rest)
    assert first == ("1", "00", "00", "00.000", "00", "00", "02.000", "Ada", "1 &lt; 2 &amp; --&gt; so")
    assert second == ("2", "01", "01", "01.500", "01", "01", "02.000", "Ben", "Later.")
