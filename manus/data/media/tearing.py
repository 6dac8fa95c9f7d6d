"""Tells by a file's own structure whether its end is missing: decoders take what is there without a word.

| container | what says how much there must be |
|---|---|
| RIFF (WAV, AVI), FORM (AIFF) | the size in its head; some writers leave it out |
| MP4, MOV, M4A | the sizes of its boxes |
| Matroska, WebM | the sizes of its elements |
| Ogg | the lengths of its last page |
| MP3 | the size in the head that encoders write (Xing, LAME), else its last frame |
| AAC (ADTS) | its last frame |

FLAC and its like say how long they are, which `sound` compares with what it decodes. Of other formats (MPEG
streams, FLV, ASF) a missing end is known only where a packet is broken by it. Decodes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import IO

from manus.data.media.errors import MediaError

HEAD_BYTES = 12
UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # that a writer leaves who cannot go back
LARGEST_OGG_PAGE = 65_307
EBML, SEGMENT, CLUSTER = b"\x1a\x45\xdf\xa3", 0x18538067, 0x1F43B675
# What stands side by side in an open segment or cluster.
ELEMENTS = (
    0x1A45DFA3, SEGMENT, CLUSTER, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1254C367, 0x1043A770,
    0x1941A469, 0xEC, 0xBF, 0xE7, 0xA3, 0xA0, 0xA7, 0xAB, 0x5854,
)  # fmt: skip
BOXES = (
    b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"mfra", b"meta", b"uuid",
    b"pnot", b"udta", b"sidx", b"ssix", b"prft", b"emsg",
)  # fmt: skip
# Of MPEG audio, layer III: kilobits a second of version 1, and of versions 2 and 2.5.
KILOBITS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
HERTZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}

Needed = Callable[[IO[bytes], int], int | None]


def check_is_whole(source: IO[bytes], size: int, name: str) -> None:
    """Refuse a file of sound or video whose end is missing.

    Args:
        source: the encoded bytes; left at their beginning.
        size: how many there are.
        name: what to call it in messages.

    Raises:
        MediaError: it is cut off.
    """
    source.seek(0)
    needed = _form_of(source.read(HEAD_BYTES))
    told = needed(source, size) if needed else None
    source.seek(0)
    if told is not None and told > size:
        raise MediaError(
            f"{name}: cut off: {size:,} bytes of {'at least ' if told == size + 1 else ''}{told:,} are there"
        )


def _form_of(head: bytes) -> Needed | None:
    """Return what tells how many bytes a file must have that begins so."""
    if head[:4] in (b"RIFF", b"FORM"):
        return _of_chunk
    if head[:4] == EBML:
        return _of_elements
    if head[:4] == b"OggS":
        return _of_last_page
    if head[4:8] in BOXES:
        return _of_boxes
    if head[:3] == b"ID3" or _mp3_frame(head) is not None:
        return _of_mp3
    return _of_adts if _adts_frame(head) is not None else None


def _of_chunk(source: IO[bytes], size: int) -> int | None:
    source.seek(0)
    head = source.read(8)
    told = int.from_bytes(head[4:8], "little" if head[:4] == b"RIFF" else "big")
    needed = told + 8
    return None if told in UNKNOWN_SIZES or needed == size + 1 else needed  # an odd end may lack its padding


def _of_boxes(source: IO[bytes], size: int) -> int | None:
    at = 0
    while at < size:
        source.seek(at)
        head = source.read(16)
        if len(head) < 8:
            return size + 1
        length, is_large = int.from_bytes(head[:4], "big"), head[:4] == b"\0\0\0\x01"
        if is_large:
            length = int.from_bytes(head[8:16], "big")
        if head[4:8] not in BOXES or length < (
            16 if is_large else 8
        ):  # not ours to judge; 0 is to the end of the file
            return at if at else None
        at += length
    return at


def _of_elements(source: IO[bytes], size: int) -> int | None:
    """Return where the segment ends; step through one that a live recording leaves open."""
    at = 0
    while at < size:
        source.seek(at)
        head = source.read(12)
        identity, length = _number(head, keeps_mark=True), None
        if identity is not None:
            length = _number(head[identity[1] :], keeps_mark=False)
        if identity is None or length is None:
            return size + 1 if len(head) < 12 else None
        is_open = length[0] == (1 << 7 * length[1]) - 1
        if identity[0] not in ((SEGMENT, CLUSTER) if is_open else ELEMENTS):
            return None
        at += identity[1] + length[1] + (0 if is_open else length[0])
        if identity[0] == SEGMENT and not is_open:
            break
    return at


def _number(data: bytes, keeps_mark: bool) -> tuple[int, int] | None:
    """Return a number of EBML, whose leading zeros tell its length, and that length; None if it is torn."""
    length = 9 - data[0].bit_length() if data else 9
    if length > min(8, len(data)):
        return None
    value = int.from_bytes(data[:length], "big")
    return value if keeps_mark else value & ((1 << 7 * length) - 1), length


def _of_last_page(source: IO[bytes], size: int) -> int | None:
    begin = max(0, size - 2 * LARGEST_OGG_PAGE)
    source.seek(begin)
    tail = source.read(size - begin)
    found = [match.start() for match in re.finditer(rb"OggS\0", tail)]
    if not found:
        return None
    page = tail[found[-1] :]
    counts = page[27 : 27 + page[26]] if len(page) > 26 else b""
    if len(page) < 27 or len(counts) < page[26]:
        return size + 1
    end = begin + found[-1] + 27 + len(counts) + sum(counts)
    rest = tail[end - begin :]
    return size + 1 if rest and b"OggS\0".startswith(rest) else end


def _of_mp3(source: IO[bytes], size: int) -> int | None:
    source.seek(0)
    head, at = source.read(10), 0
    if head[:3] == b"ID3":  # its size has seven bits a byte
        at = 10 + sum((byte & 127) << 7 * (3 - place) for place, byte in enumerate(head[6:10]))
    source.seek(at)
    first = source.read(200)
    if _mp3_frame(first) is None:
        return size + 1 if at >= size else None
    for mark in (b"Xing", b"Info"):
        place = first.find(mark, 4, 60)
        if place < 0:
            continue
        flags = int.from_bytes(first[place + 4 : place + 8], "big")
        if flags & 2:
            begin = place + 8 + 4 * (flags & 1)
            return at + int.from_bytes(first[begin : begin + 4], "big")
    return _of_frames(source, size, at, _mp3_frame)


def _of_adts(source: IO[bytes], size: int) -> int | None:
    return _of_frames(source, size, 0, _adts_frame)


def _of_frames(source: IO[bytes], size: int, at: int, length_of: Callable[[bytes], int | None]) -> int | None:
    """Step from frame to frame; None where something else follows: marks at the end, or what is no frame."""
    while at < size:
        source.seek(at)
        head = source.read(8)
        length = length_of(head)
        if length is None:
            return size + 1 if head[:1] == b"\xff" and len(head) < 8 else None
        at += length
    return at


def _mp3_frame(head: bytes) -> int | None:
    """Return how many bytes a frame of layer III takes, None where none begins."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, rate, speed = head[1] >> 3 & 3, head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or rate == 3 or not 0 < speed < 15:
        return None
    samples = 144 if version == 3 else 72
    return samples * 1000 * KILOBITS[1 if version == 3 else 2][speed] // HERTZ[version][rate] + (
        head[2] >> 1 & 1
    )


def _adts_frame(head: bytes) -> int | None:
    """Return how many bytes a frame of AAC takes, None where none begins."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length >= 7 else None
