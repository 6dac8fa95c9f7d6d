"""Decodes media to see that they can be, many in several processes. Knows nothing of rows or names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from manus.data.media.errors import MediaError
from manus.data.media.expansion import Layout
from manus.data.media.files import UNNAMED, window
from manus.data.sample import MediumKind
from manus.guards.workers import processors, side_by_side

LONGEST_AUDIO_SECONDS = 30.0  # where no layout says how much its encoder hears at once
CHECKED_TIMES = 3  # frames that are looked at where no layout says which ones are used
FILES_FOR_A_PROCESS = 8  # with fewer, it is not worth beginning one


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are in the file, by their digest."""

    offset: int
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which content is used as what, and which part, in seconds; None: from its beginning, to its end."""

    content: Content
    kind: MediumKind
    begin: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What decoding told of a medium."""

    seconds: float = 0.0
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a whole medium is, and its parts in use, in seconds: sound in pieces that are heard at once."""

    measured: Measured
    parts: tuple[tuple[float, float], ...]


class Checks:
    """What was found of media in one open file; each is decoded once. What is broken is so under any name."""

    def __init__(self, file: int, layout: Layout | None) -> None:
        self.file, self.layout = file, layout
        self.measured: dict[tuple[bytes, MediumKind], Measured | str] = {}
        self.found: dict[Wanted, Found | str] = {}

    def of(self, wanted: Wanted, name: str) -> Found:
        """Return what a medium is.

        Raises:
            MediaError: it is broken, silent or of another kind; the message calls it by the name.
        """
        if wanted not in self.found:
            self.found[wanted] = self._tried(wanted)
        found = self.found[wanted]
        if isinstance(found, str):
            raise MediaError(found.replace(UNNAMED, name))
        return found

    def prepare(self, some: Iterable[Wanted]) -> None:
        """Look at several media at once, so that `of` knows them.

        Raises:
            Interrupted: a signal came.
        """
        by_content: dict[tuple[bytes, MediumKind], list[Wanted]] = {}
        for wanted in dict.fromkeys(some):
            if wanted not in self.found:
                by_content.setdefault((wanted.content.sha256, wanted.kind), []).append(wanted)
        count = min(processors(), len(by_content) // FILES_FOR_A_PROCESS)
        if count < 2:
            return
        for tasks, (measured, found) in side_by_side(
            by_content.values(),
            lambda tasks, _: self._all_of(tasks),
            count,
            "checking media",
            lambda tasks, done: None,
        ):
            self.measured[tasks[0].content.sha256, tasks[0].kind] = measured
            self.found |= dict(zip(tasks, found, strict=True))

    def _all_of(self, tasks: Sequence[Wanted]) -> tuple[Measured | str, list[Found | str]]:
        found = [self._tried(wanted) for wanted in tasks]
        return self.measured[tasks[0].content.sha256, tasks[0].kind], found

    def _tried(self, wanted: Wanted) -> Found | str:
        try:
            measured = self._whole(wanted.content, wanted.kind)
            parts = self._parts(wanted, measured)
            if wanted.kind == "video":
                self._check_frames(wanted.content, parts)
        except MediaError as error:
            return str(error)
        return Found(measured, parts)

    def _whole(self, content: Content, kind: MediumKind) -> Measured:
        key = (content.sha256, kind)
        if key not in self.measured:
            try:
                self.measured[key] = self._decoded(content, kind)
            except MediaError as error:
                self.measured[key] = str(error)
        found = self.measured[key]
        if isinstance(found, str):
            raise MediaError(found)
        return found

    def _decoded(self, content: Content, kind: MediumKind) -> Measured:
        from manus.data.media.images import decode_image
        from manus.data.media.sound import measure_sound
        from manus.data.media.video import measure_video

        with window(self.file, content.offset, content.size) as source:
            if kind == "image":
                image = decode_image(source, UNNAMED)
                return Measured(width=image.width, height=image.height)
            if kind == "audio":
                return Measured(seconds=measure_sound(source, content.size, UNNAMED))
            facts = measure_video(source, content.size, UNNAMED)
            return Measured(facts.seconds, facts.width, facts.height)

    def _check_frames(self, content: Content, parts: Sequence[tuple[float, float]]) -> None:
        """Decode the frames that are used; that each can be is all there is to know."""
        from manus.data.media.video import shown_at

        with window(self.file, content.offset, content.size) as source:
            for begin, end in parts:
                times = sorted(begin + time for time in self._times(end - begin))
                for _ in shown_at(source, UNNAMED, times):
                    pass

    def _times(self, seconds: float) -> Sequence[float]:
        if self.layout is not None and "video" in self.layout.senses:
            return self.layout.frame_times(seconds)
        return [float(time) for time in np.linspace(0, seconds, CHECKED_TIMES)]

    def _parts(self, wanted: Wanted, measured: Measured) -> tuple[tuple[float, float], ...]:
        if wanted.kind == "image":
            return ((0.0, 0.0),)
        begin = wanted.begin or 0.0
        end = measured.seconds if wanted.end is None else wanted.end
        if not 0 <= begin < min(end, measured.seconds):
            raise MediaError(
                f"{UNNAMED}: the part from {begin:g} to {end:g} s of {measured.seconds:.2f} s is none"
            )
        end = min(end, measured.seconds)
        if wanted.kind == "video":
            return ((begin, end),)
        longest = float(getattr(self.layout, "longest_audio_seconds", None) or LONGEST_AUDIO_SECONDS)
        pieces = max(1, int(np.ceil((end - begin) / longest - 1e-9)))
        return tuple((begin + n * longest, min(end, begin + (n + 1) * longest)) for n in range(pieces))
