"""Decodes wanted frames of a video, by seeking: never more than two are in memory. Knows nothing of rows.

Legend: T frames, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from manus.data.media.containers import opened
from manus.data.media.errors import MediaError
from manus.data.media.tearing import check_is_whole

LONGEST_SIDE = 768  # of a frame; larger ones are reduced, as many of them come at once
SEEK_BEYOND_SECONDS = 4.0  # nearer frames are reached by decoding
SHORTEST_SECONDS = 0.001
MOST_PIXELS = 64_000_000
Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Size of the frames as they are decoded, in pixels, and the length of the video in seconds."""

    width: int
    height: int
    seconds: float


def measure_video(source: IO[bytes], size: int, name: str) -> VideoFacts:
    """Return what a video is, by its packets and its first frame; headers are often wrong or leave it out.

    Args:
        source: the encoded bytes.
        size: how many there are.
        name: what to call it in messages.

    Raises:
        MediaError: the file is torn, has no frame or no time stamps.
    """
    check_is_whole(source, size, name)
    with opened(source, name, "video") as (container, stream):
        packets, first, last, duration = 0, None, None, 0
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise MediaError(f"{name}: cut off after {packets} of {stream.frames or 'its'} frames")
            if not packet.size:
                continue
            packets += 1
            if packet.pts is None:
                raise MediaError(f"{name}: a video without time stamps; put it into an MP4 or Matroska file")
            first = packet.pts if first is None else min(first, packet.pts)
            if last is None or packet.pts > last:
                last, duration = packet.pts, packet.duration or 0
        if last is None or first is None:
            raise MediaError(f"{name}: a video without any frame")
        if packets < stream.frames:
            raise MediaError(f"{name}: cut off after {packets} of {stream.frames} frames")
        # The last frame stays for as long as it says, else as long as the others do.
        stays = (
            duration * stream.time_base
            if duration
            else (last - first) * stream.time_base / max(1, packets - 1)
        )
        seconds = max(SHORTEST_SECONDS, float((last - first) * stream.time_base + stays))
    shown_THWC = decode_frames(source, name, [0.0])
    return VideoFacts(shown_THWC.shape[2], shown_THWC.shape[1], seconds)


def decode_frames(source: IO[bytes], name: str, times: Sequence[float]) -> Frames:
    """Return the frames that are shown at some times, as uint8 [T, H, W, 3]; upright and reduced.

    Args:
        source: the encoded bytes.
        name: what to call it in messages.
        times: in seconds from the beginning, in any order; what lies beyond the end shows the last frame.

    Raises:
        MediaError: a frame cannot be decoded.
    """
    shown: dict[float, Frames] = {}
    for time, frame in shown_at(source, name, sorted(set(times))):
        shown[time] = _upright(frame, name)
    sizes = {frame.shape for frame in shown.values()}
    if len(sizes) > 1:
        raise MediaError(f"{name}: the size of its frames changes on the way")
    return np.stack([shown[time] for time in times])


def shown_at(source: IO[bytes], name: str, times: Sequence[float]) -> Iterator[tuple[float, Any]]:
    """Yield ascending times, each with the frame that is shown then, as PyAV decodes it."""
    source.seek(0)
    with opened(source, name, "video") as (container, stream):
        if stream.width * stream.height > MOST_PIXELS:
            raise MediaError(f"{name}: frames of {stream.width:,} x {stream.height:,} pixels are too large")
        reader = _Reader(container, stream, name)
        for time in times:
            yield time, reader.at(time)


class _Reader:
    """Goes through a video: knows the frame that is shown and the one after it."""

    def __init__(self, container: Any, stream: Any, name: str) -> None:
        self.container, self.stream, self.name = container, stream, name
        self.start = float((stream.start_time or 0) * stream.time_base)
        self.frames = _decoded(container, stream, name)
        self.shown = self.next = None

    def at(self, time: float) -> Any:
        wanted = self.start + max(0.0, time)
        if wanted - (self.start if self.shown is None else self.shown.time) > SEEK_BEYOND_SECONDS:
            self._seek(wanted)
        if self.shown is None or (
            self.shown.time > wanted + SHORTEST_SECONDS and self.shown.time > self.start
        ):
            self._seek(self.start)
        # Time stamps are whole numbers of a file's own unit: what is nearly there is there.
        while self.next is not None and self.next.time <= wanted + SHORTEST_SECONDS / 2:
            self.shown, self.next = self.next, next(self.frames, None)
        if self.shown is None:
            raise MediaError(f"{self.name}: no frame can be decoded at {time:.2f} s")
        return self.shown

    def _seek(self, time: float) -> None:
        self.container.seek(int(time / self.stream.time_base), stream=self.stream)
        self.frames = _decoded(self.container, self.stream, self.name)
        self.shown, self.next = next(self.frames, None), next(self.frames, None)


def _decoded(container: Any, stream: Any, name: str) -> Iterator[Any]:
    """Yield frames. It knows no reader: a circle would keep decoders and frames until Python looks for it."""
    for frame in container.decode(stream):
        if frame.time is None:
            raise MediaError(f"{name}: a frame without a time stamp")
        yield frame


def _upright(frame: Any, name: str) -> Frames:
    ratio = min(1.0, LONGEST_SIDE / max(frame.width, frame.height))
    width, height = (max(1, round(side * ratio)) for side in (frame.width, frame.height))
    image_HWC: Frames = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    turns, rest = divmod(round(frame.rotation), 90)
    if rest:
        raise MediaError(f"{name}: turned by {frame.rotation} degrees, which is no quarter of a circle")
    return np.ascontiguousarray(np.rot90(image_HWC, turns % 4))
