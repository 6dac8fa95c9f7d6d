"""Opens files of sound and video with PyAV, so that what is wrong with one is said with its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Literal

from manus.data.media.errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer

# What holds sound and video itself. Play lists are left out: they make FFmpeg open other files and addresses.
DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,flac,flv,gif,h264,hevc,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpeg,mpegts,mpegvideo,ogg,opus,tta,w64,wav,wv"
)
WORDS = {"video": "picture", "audio": "sound"}


@contextmanager
def opened(
    source: IO[bytes], name: str, kind: Literal["video", "audio"]
) -> Iterator[tuple[InputContainer, Any]]:
    """Open a file and give its first stream of a kind; what fails inside is said of the file.

    Args:
        source: the encoded bytes, from where they stand at 0.
        name: what to call it in messages.
        kind: which stream.

    Raises:
        MediaError: it cannot be read, or has no such stream.
    """
    import av

    try:
        with av.open(
            source, "r", options={"format_whitelist": DEMUXERS}, metadata_errors="ignore"
        ) as container:
            stream = next(iter(getattr(container.streams, kind)), None)
            if stream is None:
                raise MediaError(f"{name}: a file without {WORDS[kind]}, so it is no {kind}")
            if stream.codec_context is None:
                raise MediaError(f"{name}: its {kind} is coded in a way that is not known here")
            stream.codec_context.thread_count = 1
            yield container, stream
    except av.error.FFmpegError as error:
        raise MediaError(f"{name}: the {kind} cannot be decoded: {error.strerror}") from None
