"""Decodes sound to 16 kHz mono, as a stream: a whole hour is never in memory. Knows nothing of rows.

Legend: S samples at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from manus.data.media.containers import opened
from manus.data.media.errors import MediaError
from manus.data.media.tearing import check_is_whole

RATE_HERTZ = 16_000
SILENCE = 1e-4  # of full scale; half of a 16-bit file's smallest step is 1.5e-5
EARLIER_SECONDS = 0.5  # decoders need a little before the place that is wanted
MOST_BROKEN_SHARE = 0.01
EXACT = (
    "flac",
    "au",
    "tta",
    "wv",
    "ape",
)  # formats whose heads say how long they are, while nothing says how large
TOLERATED_SECONDS = 0.1
Waves = npt.NDArray[np.float32]


class Resampler:
    """Turns mono sound that comes bit by bit into 16 kHz; a little of it stays here until more comes."""

    def __init__(self, rate: int) -> None:
        """Args: how many samples a second come."""
        from av.audio.resampler import AudioResampler

        self.rate = rate
        self._resampler = AudioResampler(format="flt", layout="mono", rate=RATE_HERTZ)

    def add(self, samples: npt.NDArray[np.float32] | npt.NDArray[np.int16]) -> Waves:
        """Return what is there by now of samples in -1..1, or of 16-bit ones: [S]."""
        from av import AudioFrame

        if not len(samples):
            return np.zeros(0, np.float32)
        form = "s16" if samples.dtype == np.int16 else "flt"
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format=form, layout="mono")
        frame.sample_rate, frame.pts = self.rate, None
        return self._resampled(frame)

    def end(self) -> Waves:
        """Return what is left: [S]."""
        return self._resampled(None)

    def _resampled(self, frame: Any) -> Waves:
        found = [np.asarray(part.to_ndarray(), dtype=np.float32) for part in self._resampler.resample(frame)]
        return np.concatenate(found, axis=1).reshape(-1) if found else np.zeros(0, np.float32)


def measure_sound(source: IO[bytes], size: int, name: str) -> float:
    """Return how many seconds of sound a file has; all of it is decoded, none is kept.

    Args:
        source: the encoded bytes.
        size: how many there are.
        name: what to call it in messages.

    Raises:
        MediaError: the file is torn, silent or has no sound.
    """
    check_is_whole(source, size, name)
    samples, loudest = 0, 0.0
    for waves_S in _stream(source, name, 0.0):
        samples += len(waves_S)
        loudest = max(loudest, float(np.abs(waves_S).max()))
    if not samples:
        raise MediaError(f"{name}: a file without any sound in it")
    if not np.isfinite(loudest):
        raise MediaError(f"{name}: its samples are not numbers")
    told = _told_seconds(source, name)
    if told is not None and samples / RATE_HERTZ < told - TOLERATED_SECONDS:
        raise MediaError(f"{name}: cut off after {samples / RATE_HERTZ:.2f} of {told:.2f} s")
    if loudest < SILENCE:
        raise MediaError(f"{name}: silent from beginning to end ({samples / RATE_HERTZ:.1f} s)")
    return samples / RATE_HERTZ


def _told_seconds(source: IO[bytes], name: str) -> float | None:
    """Return how long a file says that it is, where that is exact and in its head."""
    source.seek(0)
    with opened(source, name, "audio") as (container, stream):
        is_exact = container.format.name in EXACT and stream.duration
        return float(stream.duration * stream.time_base) if is_exact else None


def decode_sound(
    source: IO[bytes], name: str, begin: float, seconds: float, rate_hertz: int = RATE_HERTZ
) -> Waves:
    """Return a part of a file's sound, as float32 [S] in about -1..1; found by seeking.

    It has exactly as many samples as `seconds` says: the last few may be zeros, where a decoder gives fewer.

    Args:
        source: the encoded bytes.
        name: what to call it in messages.
        begin: where the part begins, in seconds.
        seconds: how long it is.
        rate_hertz: samples a second.

    Raises:
        MediaError: the file cannot be decoded.
    """
    wanted = round(seconds * rate_hertz)
    found_S = np.zeros(wanted, dtype=np.float32)
    filled = 0
    for waves_S in _stream(source, name, begin, rate_hertz):
        piece = waves_S[: wanted - filled]
        found_S[filled : filled + len(piece)] = piece
        filled += len(piece)
        if filled == wanted:
            break
    return found_S


def _stream(source: IO[bytes], name: str, begin: float, rate_hertz: int = RATE_HERTZ) -> Iterator[Waves]:
    """Yield the sound from a second on, piece by piece."""
    from av.audio.resampler import AudioResampler

    source.seek(0)
    with opened(source, name, "audio") as (container, stream):
        resampler = AudioResampler(format="fltp", rate=rate_hertz)
        start = float((stream.start_time or 0) * stream.time_base)
        if begin > EARLIER_SECONDS:
            container.seek(int((start + begin - EARLIER_SECONDS) / stream.time_base), stream=stream)
        skipped: int | None = None
        for frame in _frames(container, stream, name):
            if skipped is None:
                at = frame.time - start if begin and frame.time is not None else 0.0
                skipped = max(0, round((begin - at) * rate_hertz))
            frame.pts = None  # the resampler would fill gaps between time stamps by itself
            for waves_S in _resampled(resampler, frame):
                yield from _after(waves_S, skipped)
                skipped = max(0, skipped - len(waves_S))
        if skipped is not None:
            for waves_S in _resampled(resampler, None):
                yield from _after(waves_S, skipped)
                skipped = max(0, skipped - len(waves_S))


def _after(waves_S: Waves, skipped: int) -> Iterator[Waves]:
    if skipped < len(waves_S):
        yield waves_S[skipped:]


def _resampled(resampler: Any, frame: Any) -> Iterator[Waves]:
    for part in resampler.resample(frame):
        yield np.asarray(part.to_ndarray(), dtype=np.float32).mean(axis=0)  # FFmpeg's own mixing may exceed 1


def _frames(container: Any, stream: Any, name: str) -> Iterator[Any]:
    """Yield decoded frames; a few packets may be broken, as at the ends of many MP3 files."""
    from av.error import InvalidDataError

    packets = broken = 0
    for packet in container.demux(stream):
        packets += 1
        try:
            yield from packet.decode()
        except InvalidDataError:
            broken += 1
    if broken > 1 + MOST_BROKEN_SHARE * packets:
        raise MediaError(f"{name}: {broken} of its {packets} packets of sound cannot be decoded")
