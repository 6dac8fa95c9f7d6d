"""Writes sound as a file of a known format, bit by bit. Knows nothing of where it comes from.

Legend: S samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from manus.data.media.sound import Waves


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """A container and the encoder in it, as FFmpeg calls them; its own rate, where it takes no other."""

    container: str
    encoder: str
    media_type: str
    rate_hertz: int | None = None


FORMATS: Mapping[str, SoundFormat] = {
    "mp3": SoundFormat("mp3", "libmp3lame", "audio/mpeg"),
    "opus": SoundFormat("ogg", "libopus", "audio/ogg", 48_000),
    "aac": SoundFormat("adts", "aac", "audio/aac"),
    "flac": SoundFormat("flac", "flac", "audio/flac"),
    "wav": SoundFormat("wav", "pcm_s16le", "audio/wav"),
    "pcm": SoundFormat("s16le", "pcm_s16le", "audio/pcm", 24_000),  # as OpenAI's interface has it
}


class SoundWriter:
    """Encodes mono sound into a file, or into whatever has `write`: then sizes that heads tell stay open."""

    def __init__(
        self, sink: IO[bytes] | Any, name: str, rate_hertz: int, bits_a_second: int | None = None
    ) -> None:
        """Begin.

        Args:
            sink: takes the bytes.
            name: of FORMATS.
            rate_hertz: samples a second of what comes.
            bits_a_second: of formats that lose something; None: the encoder's own.
        """
        import av

        form = FORMATS[name]
        self._rate = rate_hertz
        rate = form.rate_hertz or rate_hertz
        options = {"write_xing": "0"} if form.container == "mp3" and not hasattr(sink, "seek") else {}
        self._container = av.open(sink, "w", format=form.container, container_options=options)
        kind: Any = form.encoder
        self._track: Any = self._container.add_stream(kind, rate=rate, layout="mono")
        if bits_a_second is not None:
            self._track.bit_rate = bits_a_second
        self._resampler = av.AudioResampler(
            format=self._track.codec_context.format or "s16",
            layout="mono",
            rate=rate,
            frame_size=self._track.codec_context.frame_size or None,
        )

    def add(self, waves_S: Waves) -> None:
        """Encode samples in -1..1; a little stays here until more comes."""
        import av

        if not len(waves_S):
            return
        samples = np.ascontiguousarray(waves_S.clip(-1, 1)[None], np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
        frame.sample_rate, frame.pts = self._rate, None
        self._encode(frame)

    def end(self) -> None:
        """Encode what is left, and end the file."""
        self._encode(None)
        for packet in self._track.encode(None):
            self._container.mux(packet)
        self._container.close()

    def _encode(self, frame: Any) -> None:
        for part in self._resampler.resample(frame):
            for packet in self._track.encode(part):
                self._container.mux(packet)


class Sink:
    """Takes bytes and gives them away once; it cannot be sought in."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """Return what came since the last call."""
        found, self._parts = b"".join(self._parts), []
        return found
