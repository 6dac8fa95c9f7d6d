"""Keeps media while rows are read: their bytes go into one file, once each, and are decoded to see that they can be.

Knows the kinds of media and where their bytes come from; knows nothing of rows.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manus.data.media.errors import MediaError
from manus.data.media.expansion import Layout
from manus.data.media.fetching import blocks_of_url
from manus.data.media.files import ENTRY, KINDS, MEDIA_BIN, MEDIA_NAMES, MEDIA_TABLE, window
from manus.data.sample import Medium, MediumKind
from manus.errors import DataError

PART = "media.part"
BLOCK_BYTES = 1 << 20
LONGEST_AUDIO_SECONDS = 30.0  # where no layout says how much its encoder hears at once
CHECKED_TIMES = 3  # frames that are looked at where no layout says which ones are used


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are in the file, by their digest."""

    offset: int
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Measured:
    """What decoding told of a medium."""

    seconds: float = 0.0
    width: int = 0
    height: int = 0


class MediaWriter:
    """Takes media in, checks them and gives them numbers; `finish` makes the files that `MediaFiles` reads."""

    def __init__(self, folder: Path, layout: Layout | None = None, allow_urls: bool = False) -> None:
        """Start with no media.

        Args:
            folder: where the files are to be.
            layout: tells which frames are used and how much sound is heard at once.
            allow_urls: whether media may be fetched over the network.
        """
        self.folder, self.layout, self.allow_urls = folder, layout, allow_urls
        self.file = os.open(folder / PART, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self.end = 0
        self.contents: dict[bytes, Content] = {}
        self.measured: dict[tuple[bytes, MediumKind], Measured | str] = {}
        self.numbers: dict[tuple[bytes, MediumKind, float, float], int] = {}
        self.entries: list[tuple[Content, MediumKind, float, Measured, str]] = []

    def add(self, medium: Medium, beside: Path) -> list[Medium]:
        """Take one medium in and return it as it stands in samples; long sound becomes several that follow each other.

        Args:
            medium: with a file, bytes or an address.
            beside: the folder that relative paths start from.

        Raises:
            MediaError: it is missing, broken, silent or of another kind; the message names it.
            DataError: the disk is full.
        """
        kind, name = medium["kind"], name_of(medium)
        content = self._stored(self._blocks(medium, beside, name), name)
        measured = self._measure(content, kind, name)
        return [
            self._numbered(content, kind, begin, end, measured, name)
            for begin, end in self._parts(medium, kind, measured, name)
        ]

    def finish(self, used: Iterable[int] | None = None) -> dict[int, int]:
        """Write the files of the artifact, with the media that are used; return their new numbers by the old ones.

        Without any medium there are no files.
        """
        kept = sorted(set(used)) if used is not None else list(range(len(self.entries)))
        offsets = self._copy({self.entries[number][0] for number in kept})
        table = np.zeros(len(kept), dtype=ENTRY)
        for place, number in enumerate(kept):
            content, kind, begin, measured, _ = self.entries[number]
            table[place] = (
                offsets[content.sha256], content.size, begin, measured.seconds, measured.width, measured.height,
                KINDS.index(kind), np.frombuffer(content.sha256, dtype=np.uint8),
            )  # fmt: skip
        if kept:
            np.save(self.folder / MEDIA_TABLE, table)
            with (self.folder / MEDIA_NAMES).open("w", encoding="utf-8") as stream:
                for number in kept:
                    stream.write(json.dumps({"name": self.entries[number][4]}, ensure_ascii=False) + "\n")
        self.close()
        return {number: place for place, number in enumerate(kept)}

    def close(self) -> None:
        """Give up what was taken in and not finished."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1
            (self.folder / PART).unlink()

    def _copy(self, contents: set[Content]) -> dict[bytes, int]:
        """Copy contents, in the order they came, without what was broken or is not used."""
        offsets: dict[bytes, int] = {}
        if not contents:
            return offsets
        with (self.folder / MEDIA_BIN).open("wb") as target:
            for content in sorted(contents, key=lambda one: one.offset):
                offsets[content.sha256] = target.tell()
                with window(self.file, content.offset, content.size) as source:
                    while block := source.read(BLOCK_BYTES):
                        target.write(block)
        return offsets

    def _blocks(self, medium: Medium, beside: Path, name: str) -> Iterator[bytes]:
        if "bytes" in medium:
            yield medium["bytes"]
        elif "url" in medium:
            yield from blocks_of_url(medium["url"], self.allow_urls, name)
        else:
            yield from _blocks_of_file(beside / Path(medium["file"]).expanduser(), name)

    def _stored(self, blocks: Iterator[bytes], name: str) -> Content:
        """Append what is new, and return where it is."""
        digest, begin, end = hashlib.sha256(), self.end, self.end
        try:
            for block in blocks:
                digest.update(block)
                view = memoryview(block)
                while view:
                    written = os.pwrite(self.file, view, end)
                    view, end = view[written:], end + written
        except OSError as error:
            raise DataError(f"{self.folder}: no room for {name}: {error.strerror}; free some and run again") from None
        if end == begin:
            raise MediaError(f"{name}: empty, 0 bytes")
        sha256 = digest.digest()
        if sha256 not in self.contents:
            self.contents[sha256] = Content(begin, end - begin, sha256)
            self.end = end
        return self.contents[sha256]

    def _measure(self, content: Content, kind: MediumKind, name: str) -> Measured:
        """Decode a medium, once for each content; what is broken is broken under any name."""
        key = (content.sha256, kind)
        if key not in self.measured:
            try:
                self.measured[key] = self._decoded(content, kind, "\0")
            except MediaError as error:
                self.measured[key] = str(error)
        found = self.measured[key]
        if isinstance(found, str):
            raise MediaError(found.replace("\0", name))
        return found

    def _decoded(self, content: Content, kind: MediumKind, name: str) -> Measured:
        from manus.data.media.images import decode_image
        from manus.data.media.sound import measure_sound
        from manus.data.media.video import measure_video, shown_at

        with window(self.file, content.offset, content.size) as source:
            if kind == "image":
                image = decode_image(source, name)
                return Measured(width=image.width, height=image.height)
            if kind == "audio":
                return Measured(seconds=measure_sound(source, content.size, name))
            facts = measure_video(source, name)
            for _ in shown_at(source, name, self._times(facts.seconds)):
                pass  # that each can be decoded is all there is to know
            return Measured(facts.seconds, facts.width, facts.height)

    def _times(self, seconds: float) -> Sequence[float]:
        if self.layout is not None and "video" in self.layout.senses:
            return sorted(self.layout.frame_times(seconds))
        return [float(time) for time in np.linspace(0, seconds, CHECKED_TIMES)]

    def _parts(
        self, medium: Medium, kind: MediumKind, measured: Measured, name: str
    ) -> list[tuple[float, float]]:  # fmt: skip
        """Return which parts, in seconds, a medium is used as: sound in pieces no longer than can be heard at once."""
        if kind == "image":
            return [(0.0, 0.0)]
        begin, end = float(medium.get("begin", 0.0)), float(medium.get("end", measured.seconds))
        if not 0 <= begin < min(end, measured.seconds):
            raise MediaError(f"{name}: the part from {begin:g} to {end:g} s of {measured.seconds:.2f} s is none")
        end = min(end, measured.seconds)
        if kind == "video":
            return [(begin, end)]
        longest = float(getattr(self.layout, "longest_audio_seconds", None) or LONGEST_AUDIO_SECONDS)
        pieces = max(1, int(np.ceil((end - begin) / longest - 1e-9)))
        return [(begin + n * longest, min(end, begin + (n + 1) * longest)) for n in range(pieces)]

    def _numbered(
        self, content: Content, kind: MediumKind, begin: float, end: float, measured: Measured, name: str
    ) -> Medium:  # fmt: skip
        key = (content.sha256, kind, begin, end)
        if key not in self.numbers:
            self.numbers[key] = len(self.entries)
            # From samples, so that what is told of sound is what is decoded.
            part = Measured(end - begin, measured.width, measured.height)
            self.entries.append((content, kind, begin, part, name))
        is_whole = begin == 0 and end in (0.0, measured.seconds)
        digest = content.sha256.hex() + ("" if is_whole else f" {begin:g}-{end:g}")
        kept: Medium = {"kind": kind, "number": self.numbers[key], "digest": digest}
        if kind != "audio":
            kept |= {"width": measured.width, "height": measured.height}
        if kind != "image":
            kept["seconds"] = end - begin
        return kept


def name_of(medium: Medium) -> str:
    """Return what to call a medium in messages."""
    told = medium.get("file") or medium.get("url")
    return f"{medium['kind']} {told}" if told else f"{medium['kind']} of {len(medium.get('bytes', b'')):,} bytes"


def _blocks_of_file(path: Path, name: str) -> Iterator[bytes]:
    try:
        if path.exists() and not path.is_file():  # a device or pipe may have no end
            raise MediaError(f"{name}: not a plain file")
        with path.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                yield block
    except MediaError:
        raise
    except FileNotFoundError:
        raise MediaError(f"{name}: no such file; relative paths start at the data file's folder") from None
    except (OSError, ValueError) as error:
        raise MediaError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
