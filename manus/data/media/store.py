"""Keeps media while rows are read: their bytes go into one file, once each; `checking` finds what they are.

Knows the kinds of media and where their bytes come from; knows nothing of rows.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manus.data.media.checking import Checks, Content, Measured, Wanted
from manus.data.media.errors import MediaError
from manus.data.media.expansion import Layout
from manus.data.media.fetching import blocks_of_url
from manus.data.media.files import ENTRY, KINDS, MEDIA_BIN, MEDIA_NAMES, MEDIA_TABLE, window
from manus.data.sample import Medium, MediumKind
from manus.errors import DataError
from manus.files import at_home

PART = "media.part"
BLOCK_BYTES = 1 << 20

Known = tuple[str, int, int] | str  # a file as it is now, or an address


@dataclass(frozen=True, slots=True)
class Stored:
    """A medium whose bytes are in the file; what to call it in messages."""

    wanted: Wanted
    name: str


class MediaWriter:
    """Takes media in, checks them and gives them numbers; `finish` makes files that `MediaFiles` reads."""

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
        self.known: dict[Known, Content] = {}  # so that a file of which many parts are used is read once
        self.last: tuple[bytes, Content] | None = None
        self.checks = Checks(self.file, layout)
        self.numbers: dict[tuple[bytes, MediumKind, float, float], int] = {}
        self.entries: list[tuple[Content, MediumKind, float, Measured, str]] = []

    def add(self, medium: Medium, beside: Path) -> list[Medium]:
        """Take one medium in and return it as it stands in samples; long sound becomes several in a row.

        Args:
            medium: with a file, bytes or an address.
            beside: the folder that relative paths start from.

        Raises:
            MediaError: it is missing, broken, silent or of another kind; the message names it.
            DataError: the disk is full.
        """
        return self.numbered(self.stored(medium, beside))

    def stored(self, medium: Medium, beside: Path) -> Stored:
        """Keep the bytes of one medium, which are not looked at yet.

        Raises:
            MediaError: it is missing; the message names it.
            DataError: the disk is full.
        """
        name = name_of(medium)
        content = self._content(medium, beside, name)
        return Stored(Wanted(content, medium["kind"], medium.get("begin"), medium.get("end")), name)

    def check(self, some: Iterable[Stored]) -> None:
        """Look at several media at once, in processes of their own; `numbered` then says what was found."""
        self.checks.prepare(one.wanted for one in some)

    def numbered(self, stored: Stored) -> list[Medium]:
        """Return a medium as it stands in samples; raises MediaError as `add` does."""
        found = self.checks.of(stored.wanted, stored.name)
        return [self._numbered(stored, begin, end, found.measured) for begin, end in found.parts]

    def finish(self, used: Iterable[int] | None = None) -> dict[int, int]:
        """Write the files of the artifact, with the media in use; return their new numbers by the old ones.

        Without any medium there are no files.
        """
        kept = sorted(set(used)) if used is not None else list(range(len(self.entries)))
        offsets = self._copy({self.entries[number][0] for number in kept})
        table = np.zeros(len(kept), dtype=ENTRY)
        for place, number in enumerate(kept):
            content, kind, begin, measured, _ = self.entries[number]
            table[place] = (
                offsets[content.sha256],
                content.size,
                begin,
                measured.seconds,
                measured.width,
                measured.height,
                KINDS.index(kind),
                np.frombuffer(content.sha256, dtype=np.uint8),
            )
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

    def _content(self, medium: Medium, beside: Path, name: str) -> Content:
        """Return where the bytes of a medium are; what is known is not read again."""
        if "bytes" in medium:
            if self.last is None or self.last[0] is not medium["bytes"]:
                self.last = (medium["bytes"], self._stored(iter([medium["bytes"]]), name))
            return self.last[1]
        known: Known | None
        if "url" in medium:
            known, blocks = medium["url"], blocks_of_url(medium["url"], self.allow_urls, name)
        else:
            path = beside / at_home(medium["file"])
            known, blocks = _as_it_is(path), _blocks_of_file(path, name)
        if known is None:
            return self._stored(blocks, name)
        if known not in self.known:
            self.known[known] = self._stored(blocks, name)
        return self.known[known]

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
            raise DataError(
                f"{self.folder}: no room for {name}: {error.strerror}; free some and run again"
            ) from None
        if end == begin:
            raise MediaError(f"{name}: empty, 0 bytes")
        sha256 = digest.digest()
        if sha256 not in self.contents:
            self.contents[sha256] = Content(begin, end - begin, sha256)
            self.end = end
        return self.contents[sha256]

    def _numbered(self, stored: Stored, begin: float, end: float, measured: Measured) -> Medium:
        content, kind = stored.wanted.content, stored.wanted.kind
        key = (content.sha256, kind, begin, end)
        if key not in self.numbers:
            self.numbers[key] = len(self.entries)
            # From samples, so that what is told of sound is what is decoded.
            part = Measured(end - begin, measured.width, measured.height)
            self.entries.append((content, kind, begin, part, stored.name))
        is_whole = begin == 0 and end in (0.0, measured.seconds)
        digest = content.sha256.hex() + ("" if is_whole else f" {_exact(begin)}-{_exact(end)}")
        kept: Medium = {"kind": kind, "number": self.numbers[key], "digest": digest}
        if kind != "audio":
            kept |= {"width": measured.width, "height": measured.height}
        if kind != "image":
            kept["seconds"] = end - begin
        return kept


def _exact(seconds: float) -> str:
    """Return seconds as briefly as tells them apart."""
    brief = f"{seconds:g}"
    return brief if float(brief) == seconds else repr(seconds)


def _as_it_is(path: Path) -> Known | None:
    """Return what tells that a file is the one that was read before, None where it cannot be read."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return str(path), found.st_size, found.st_mtime_ns


def name_of(medium: Medium) -> str:
    """Return what to call a medium in messages."""
    told = medium.get("file") or medium.get("url")
    return (
        f"{medium['kind']} {told}" if told else f"{medium['kind']} of {len(medium.get('bytes', b'')):,} bytes"
    )


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
