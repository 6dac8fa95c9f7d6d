"""Reads a picture, a video's frames and a sound from files. Knows nothing of models."""

# Shapes: T frames, H x W pixels, S samples.

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.errors import DataError
from manus.models.omni.layout import SAMPLES_PER_SECOND, Facts

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image


def read_image(file: Path) -> Image.Image:
    """Return a picture as RGB, turned as its EXIF says.

    Raises:
        DataError: the file is missing or no picture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{file}: cannot be read as a picture: {error}") from None


def video_facts(file: Path) -> Facts:
    """Return pixels and seconds of a video.

    Raises:
        DataError: the file is missing or no video.
    """
    with _opened(file) as container:
        stream = container.streams.video[0]
        known = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / 1_000_000
        return Facts(kind="video", width=stream.width, height=stream.height, seconds=float(known))


def read_frames(file: Path, times: Sequence[float]) -> np.ndarray:
    """Return the frames shown at the given times (seconds, ascending): uint8 [T, H, W, 3].

    Raises:
        DataError: the file is missing, no video, or has no frames.
    """
    import numpy as np

    frames: list[np.ndarray] = []
    with _opened(file) as container:
        shown = None
        for frame in container.decode(video=0):
            while len(frames) < len(times) and shown is not None and (frame.time or 0.0) > times[len(frames)]:
                frames.append(shown.to_ndarray(format="rgb24"))
            if len(frames) == len(times):
                break
            shown = frame
        if shown is None:
            raise DataError(f"{file}: holds no frame that can be decoded")
        frames += [shown.to_ndarray(format="rgb24")] * (len(times) - len(frames))
    return np.stack(frames)


def read_audio(file: Path) -> np.ndarray:
    """Return a sound as float32 [S], mono, 16 kHz.

    Raises:
        DataError: the file is missing or no sound.
    """
    import av
    import numpy as np

    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLES_PER_SECOND)
    parts = []
    with _opened(file, "audio") as container:
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    if not parts:
        raise DataError(f"{file}: holds no sound that can be decoded")
    return np.concatenate(parts).astype(np.float32)


class _opened:  # noqa: N801 (used like a function)
    """Opens a file of video or sound; whatever goes wrong while it is read is said with its name."""

    def __init__(self, file: Path, kind: str = "video") -> None:
        self.file, self.kind = file, kind

    def __enter__(self) -> Any:
        import av

        try:
            self.container = av.open(str(self.file))
        except (OSError, ValueError, av.FFmpegError) as error:
            raise DataError(f"{self.file}: cannot be read as {self.kind}: {error}") from None
        if not getattr(self.container.streams, self.kind):
            self.container.close()
            raise DataError(f"{self.file}: holds no {self.kind}")
        return self.container

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        import av

        self.container.close()
        if isinstance(error, av.FFmpegError):
            raise DataError(f"{self.file}: cannot be read as {self.kind}: {error}") from None
