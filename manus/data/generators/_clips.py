"""Writes pictures as a short video file. Knows nothing of what they show."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import cast

import numpy as np
from PIL import Image

# MPEG-4 part 2 is in every build of FFmpeg; this quality keeps the colours of small shapes.
CODEC, QUANTISER = "mpeg4", 2


def mp4(frames: Sequence[Image.Image], fps: int) -> bytes:
    """Return an MP4 file of the frames, the same bytes for the same frames.

    Args:
        frames: all of one size, width and height even.
    """
    import av

    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        video = cast(av.VideoStream, container.add_stream(CODEC, rate=fps))
        video.width, video.height = frames[0].size
        video.pix_fmt, video.time_base = "yuv420p", Fraction(1, fps)
        video.codec_context.thread_count = 1
        video.codec_context.qmin = video.codec_context.qmax = QUANTISER
        video.codec_context.gop_size = fps
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, fps)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    return stream.getvalue()
