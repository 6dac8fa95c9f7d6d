"""Decodes the pictures, sounds and videos of requests, in memory. Knows nothing of conversations."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from manus.data.media.errors import MediaError
from manus.data.media.images import decode_image
from manus.data.media.sound import decode_sound, measure_sound
from manus.data.media.video import measure_video
from manus.data.sample import MediumKind
from manus.serving.server.addresses import fetched
from manus.serving.server.limits import Limits
from manus.serving.server.refusals import Refused

SENSES: dict[MediumKind, str] = {"image": "does not see", "video": "does not see", "audio": "does not hear"}


class MediaDesk:
    """Decodes the media of one request; files that videos need lie in a folder until it is closed."""

    def __init__(self, senses: set[MediumKind], check_heard: Callable[[float], None], limits: Limits) -> None:
        self.senses, self.check_heard, self.limits = senses, check_heard, limits
        self.count = 0
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Remove the files of videos."""
        if self.folder is not None:
            self.folder.cleanup()

    def part(self, kind: MediumKind, given: str, param: str) -> dict[str, Any]:
        """Return a medium as a part of a conversation, as models of transformers take it.

        Args:
            kind: of the medium.
            given: a data: URL, an address, or for sound bare base64.
            param: where it stands in the request, for messages.

        Raises:
            Refused: the model has no such sense, or this is no such medium.
        """
        if kind not in self.senses:
            raise Refused(
                f"{param}: this model {SENSES[kind]}; it takes {self._taken()}", param=param, code="no_sense"
            )
        self.count += 1
        if self.count > self.limits.media:
            raise Refused(
                f"more than {self.limits.media} pictures, sounds and videos in one request", param=param
            )
        content = self._bytes(given, param)
        try:
            return {"type": kind, kind: self.decoded(kind, content, param)}
        except MediaError as error:
            raise Refused(str(error), param=param) from None

    def decoded(self, kind: MediumKind, content: bytes, name: str) -> Any:
        """Return a picture, the file of a video, or sound as float32 [S], mono, 16 kHz.

        Raises:
            MediaError: it cannot be decoded.
            Refused: the sound is too long.
        """
        if not content:
            raise MediaError(f"{name}: empty, 0 bytes")
        if kind == "image":
            return decode_image(BytesIO(content), name)
        if kind == "video":
            measure_video(BytesIO(content), len(content), name)
            self.folder = self.folder or tempfile.TemporaryDirectory(prefix="manus-serve-")
            file = Path(self.folder.name) / f"{self.count}.video"
            file.write_bytes(content)
            return file
        seconds = measure_sound(BytesIO(content), len(content), name)
        try:
            self.check_heard(seconds)
        except ValueError as error:
            raise Refused(f"{name}: {error}", param=name) from None
        return decode_sound(BytesIO(content), name, 0.0, seconds)

    def _taken(self) -> str:
        return ", ".join(["text", *sorted(self.senses)])

    def _bytes(self, given: str, param: str) -> bytes:
        if given[:5].lower() == "data:":
            head, comma, content = given[5:].partition(",")
            if not comma:
                raise Refused(f"{param}: a data: URL without a comma", param=param)
            return _base64(content, param) if head.endswith(";base64") else unquote_to_bytes(content)
        if "://" in given[:16]:
            return fetched(given, self.limits, param)
        return _base64(given, param)


def _base64(text: str, param: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"{param}: not valid base64: {error}", param=param) from None
