"""Writes an episode's files: sound with chapters and tags, and the transcript. Mixes and speaks nothing.

| ending | codec | chapters | tags |
|---|---|---|---|
| .mp3 | MP3 by LAME | ID3 CHAP | ID3v2 |
| .opus, .ogg | Opus, 48 kHz | CHAPTER001=, as VorbisComment | VorbisComment |
| .wav | 16 bits | none: the container has no place for them | RIFF INFO |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manus.errors import InputError
from manus.files import write_atomically
from manus.serving.podcast.files import whole_or_absent

MILLISECONDS = Fraction(1, 1000)


@dataclass(frozen=True, slots=True)
class Format:
    """How sound is written: container and codec by libav's names, the rates it takes, whether it has chapters."""

    container: str
    codec: str
    rates: tuple[int, ...]
    has_chapters: bool = True
    bits_per_second: int | None = None


_MP3 = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_OPUS = Format("ogg", "libopus", (48000,), bits_per_second=64_000)
FORMATS: Mapping[str, Format] = {
    ".mp3": Format("mp3", "libmp3lame", _MP3, bits_per_second=96_000),
    ".opus": _OPUS,
    ".ogg": _OPUS,
    ".wav": Format("wav", "pcm_s16le", (), has_chapters=False),
}
MOST_BITS_BELOW_16_KHZ = 64_000  # of MPEG-2.5


@dataclass(frozen=True, slots=True)
class Line:
    """A spoken turn in the transcript: who says what, from when to when."""

    host: str
    text: str
    begin_seconds: float
    end_seconds: float


def format_of(path: Path) -> Format:
    """Return how a file is written, by its ending.

    Raises:
        InputError: the ending is not known.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise InputError(f"-o {path}: an episode ends in {', '.join(FORMATS)}")
    return found


def write_sound(
    path: Path,
    samples: npt.NDArray[np.float32],
    sample_rate: int,
    tags: Mapping[str, str],
    chapters: Sequence[tuple[str, float]],
) -> None:
    """Write an episode's sound; the file is whole or absent.

    Args:
        path: its ending names the format.
        samples: [N], mono.
        sample_rate: samples a second.
        tags: such as title, artist, language.
        chapters: title and begin in seconds, in order; the last one ends with the sound.

    Raises:
        InputError: the ending is not known.
    """
    import av

    how = format_of(path)
    rate = (
        sample_rate
        if not how.rates
        else min((r for r in how.rates if r >= sample_rate), default=how.rates[-1])
    )
    with whole_or_absent(path) as temporary, av.open(str(temporary), "w", format=how.container) as container:
        stream: Any = container.add_stream(how.codec, rate=rate)
        stream.layout = "mono"
        if how.bits_per_second:
            stream.bit_rate = how.bits_per_second if rate >= 16_000 else MOST_BITS_BELOW_16_KHZ
        container.metadata.update({name: value for name, value in tags.items() if value})
        if how.container == "ogg":
            container.metadata.update(_chapter_comments(chapters))
        elif how.has_chapters and chapters:
            container.set_chapters(_chapters(chapters, len(samples) / sample_rate))  # type: ignore[arg-type]
        frame: Any = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[None], np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = sample_rate
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def _chapters(chapters: Sequence[tuple[str, float]], seconds: float) -> list[dict[str, Any]]:
    """Return chapters as libav takes them: each ends where the next begins."""
    begins = [round(1000 * begin) for _, begin in chapters]
    ends = [*begins[1:], round(1000 * seconds)]
    return [
        {"id": number, "start": begin, "end": end, "time_base": MILLISECONDS, "metadata": {"title": title}}
        for number, ((title, _), begin, end) in enumerate(zip(chapters, begins, ends, strict=True), 1)
    ]


def _chapter_comments(chapters: Sequence[tuple[str, float]]) -> dict[str, str]:
    """Return chapters as Ogg's comments. libav 62 writes those it is given a second late from x.5 s on."""
    return {
        key: value
        for number, (title, begin) in enumerate(chapters, 1)
        for key, value in ((f"CHAPTER{number:03}", _time(begin)), (f"CHAPTER{number:03}NAME", title))
    }


def write_transcript(path: Path, lines: Sequence[Line]) -> None:
    """Write who says what, and when, as WebVTT with voice tags (https://www.w3.org/TR/webvtt1/)."""
    cues = [
        f"{number}\n{_time(line.begin_seconds)} --> {_time(line.end_seconds)}\n"
        f"<v {_escaped(line.host)}>{_escaped(line.text)}\n"
        for number, line in enumerate(lines, 1)
    ]
    write_atomically(path, "\n".join(["WEBVTT\n", *cues]))


def _time(seconds: float) -> str:
    minutes, milliseconds = divmod(round(1000 * seconds), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"


def _escaped(text: str) -> str:
    """Return a text for a cue: one line, without marks that a player takes for its own."""
    plain = " ".join(text.split())
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
