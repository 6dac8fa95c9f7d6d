"""Makes media files, sound ones and broken ones. Knows nothing of how they are read."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

RATE = 16_000


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return a picture that does not compress to nothing."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """Return a picture in a file format."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def turned(orientation: int) -> bytes:
    """Return a JPEG, 40 x 20 as it is stored, red on its left half, that says how it is to be turned."""
    image = Image.new("RGB", (40, 20), "blue")
    image.paste((255, 0, 0), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", exif=exif, quality=95, subsampling=0)


def grey16(width: int = 8, height: int = 4) -> bytes:
    """Return a PNG of 16-bit grey, from black to white."""
    values = np.linspace(0, 65535, width * height).astype(np.uint16).reshape(height, width)
    return encoded(Image.fromarray(values), "PNG")


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return half a sine wave's amplitude."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def wav(waves: np.ndarray[Any, Any], rate: int = RATE, channels: int = 1, width: int = 2) -> bytes:
    """Return sound as a WAV file of whole numbers, all channels alike."""
    many = np.repeat(waves, channels)
    if width == 1:
        data = ((many + 1) * 127.5).astype(np.uint8).tobytes()
    else:
        whole = (many * (2 ** (8 * width - 1) - 1)).astype("<i4")
        data = whole.view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    stream = io.BytesIO()
    with wave.open(stream, "wb") as target:
        target.setnchannels(channels)
        target.setsampwidth(width)
        target.setframerate(rate)
        target.writeframes(data)
    return stream.getvalue()


def float_wav(waves: np.ndarray[Any, Any], rate: int = RATE) -> bytes:
    """Return sound as a WAV file of floating point numbers."""
    data = waves.astype("<f4").tobytes()
    head = (
        b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 3, 1, rate, rate * 4, 4, 32)
        + b"data"
        + struct.pack("<I", len(data))
    )
    return b"RIFF" + struct.pack("<I", len(head) + len(data)) + head + data


def compressed(path: Path, codec: str, waves: np.ndarray[Any, Any], rate: int = RATE) -> bytes:
    """Return sound in the format that the path's ending names."""
    with av.open(path, "w") as target:
        stream = target.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            waves.astype(np.float32).reshape(1, -1), format="fltp", layout="mono"
        )
        frame.sample_rate = rate
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size or 1024
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(part))
        target.mux(stream.encode())
    return path.read_bytes()


def video(
    path: Path,
    frames: int = 30,
    rate: int = 10,
    stamps: Sequence[int] | None = None,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    sound: bool = False,
    **options: str,
) -> bytes:
    """Return a video whose frame number n is grey of brightness 8 n.

    Args:
        path: its ending names the format.
        frames: how many.
        rate: in frames a second, the unit of `stamps`.
        stamps: when each is shown.
        size: width and height.
        codec: of the pictures.
        sound: whether a tone goes with it.
        options: of the container.
    """
    width, height = size
    with av.open(path, "w", options=options) as target:
        stream = target.add_stream(codec, rate=rate, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        heard = target.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for index in range(frames):
            grey = np.full((height, width, 3), 8 * index % 256, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = (stamps[index] if stamps else index), Fraction(1, rate)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
        if heard is not None:
            waves = tone(max(1, frames) / rate).astype(np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(waves, format="fltp", layout="mono")
            frame.sample_rate = RATE
            resampler = av.AudioResampler(format=heard.format, layout="mono", rate=RATE, frame_size=1024)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                target.mux(heard.encode(part))
            target.mux(heard.encode())
    return path.read_bytes()


def turned_video(path: Path) -> bytes:
    """Return an MP4 that is stored lying, 64 x 48, and says that it is shown turned by a quarter."""
    plain = video(path)
    at = plain.index(b"tkhd") + 4 + 40
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    return plain[:at] + matrix + plain[at + 36 :]
