"""Cuts a sense off: held-out samples with media gone, empty, exchanged, or out of order. Knows no model.

| kind | what is left of a medium |
|---|---|
| removed | nothing: the question alone |
| blanked | a grey picture, or grey frames, as large as it |
| silenced | silence as long as it |
| swapped | another sample's medium of its kind |
| shuffled | its frames in another order, at the times of the old one |
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from manus.data.sample import PLACEHOLDERS, Medium, MediumKind, Message, Sample

if TYPE_CHECKING:
    from PIL import Image

    from manus.data.media.sound import Waves
    from manus.data.media.video import Frames

GREY = 128


class MediaReader(Protocol):
    """What decodes media by their numbers, as `MediaFiles` does."""

    def facts(self, number: int) -> Medium:
        """Return what a medium is."""

    def image(self, number: int) -> Image.Image:
        """Return a picture."""

    def frames(self, number: int, times: Sequence[float]) -> Frames:
        """Return frames, uint8 [T, H, W, 3]."""

    def audio(self, number: int) -> Waves:
        """Return sound, float32 [S]."""


class Ablated:
    """Media as they are; what cuts a sense off changes one of the answers."""

    def __init__(self, media: MediaReader, seed: int) -> None:
        self.media, self.seed = media, seed

    def facts(self, number: int) -> Medium:
        """Return what a medium is: the same as before, so that it takes as many tokens."""
        return self.media.facts(number)

    def image(self, number: int) -> Image.Image:
        """Return a picture."""
        return self.media.image(number)

    def frames(self, number: int, times: Sequence[float]) -> Frames:
        """Return frames, uint8 [T, H, W, 3]."""
        return self.media.frames(number, times)

    def audio(self, number: int) -> Waves:
        """Return sound, float32 [S]."""
        return self.media.audio(number)


class Blanked(Ablated):
    """Grey pictures and frames."""

    def image(self, number: int) -> Image.Image:
        """Return a grey picture as large as the medium."""
        from PIL import Image

        return Image.new("RGB", self.media.image(number).size, (GREY, GREY, GREY))

    def frames(self, number: int, times: Sequence[float]) -> Frames:
        """Return grey frames as large as the medium's."""
        return np.full_like(self.media.frames(number, times), GREY)


class Silenced(Ablated):
    """Silence."""

    def audio(self, number: int) -> Waves:
        """Return silence as long as the medium."""
        return np.zeros_like(self.media.audio(number))


class Shuffled(Ablated):
    """Frames in another order, the same for the same medium and seed; a single frame stays."""

    def frames(self, number: int, times: Sequence[float]) -> Frames:
        """Return the medium's frames at the times, none of them where it belongs as far as that goes."""
        frames = self.media.frames(number, times)
        return frames[self.order(number, len(frames))]

    def order(self, number: int, count: int) -> list[int]:
        """Return which frame comes at each place."""
        order = list(range(count))
        draw = random.Random(f"shuffled:{self.seed}:{number}")
        while count > 1 and order == sorted(order):
            draw.shuffle(order)
        return order


def swapped(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Return samples with other samples' media of the same kind, no medium in its own place.

    The facts go with the medium, so that a text has as many places as the other medium takes.

    Raises:
        ValueError: the samples share a single medium of some kind.
    """
    media = {medium["number"]: medium for sample in samples for medium in sample.get("media", [])}
    others: dict[int, Medium] = {}
    for kind in sorted({medium["kind"] for medium in media.values()}):
        numbers = sorted(number for number, medium in media.items() if medium["kind"] == kind)
        if len(numbers) == 1:
            raise ValueError(f"the samples have a single {kind}, and none to swap it with")
        random.Random(f"swapped:{seed}:{kind}").shuffle(numbers)
        others |= {
            number: media[other] for number, other in zip(numbers, numbers[1:] + numbers[:1], strict=True)
        }
    return [
        {**sample, "media": [others[medium["number"]] for medium in sample["media"]]}
        if sample.get("media")
        else sample
        for sample in samples
    ]


def removed(samples: Sequence[Sample]) -> list[Sample]:
    """Return samples without media and without the places where they stood."""
    return [_without_media(sample) for sample in samples]


def _without_media(sample: Sample) -> Sample:
    bare: Sample = {**sample, "messages": [_without_places(message) for message in sample["messages"]]}
    bare.pop("media", None)
    return bare


def _without_places(message: Message) -> Message:
    content = message["content"]
    for token in PLACEHOLDERS.values():
        content = content.replace(f"{token}\n", "").replace(token, "")
    return {**message, "content": content.strip()}


EVERY_KIND = frozenset(PLACEHOLDERS)
CHANGED_KINDS: dict[str, frozenset[MediumKind]] = {
    "removed": EVERY_KIND,
    "blanked": frozenset({"image", "video"}),
    "silenced": frozenset({"audio"}),
    "swapped": EVERY_KIND,
    "shuffled": frozenset({"video"}),
}
Ablation = Callable[[Sequence[Sample], MediaReader, int], tuple[Sequence[Sample], MediaReader]]
ABLATIONS: dict[str, Ablation] = {
    "removed": lambda samples, media, seed: (removed(samples), media),
    "blanked": lambda samples, media, seed: (samples, Blanked(media, seed)),
    "silenced": lambda samples, media, seed: (samples, Silenced(media, seed)),
    "swapped": lambda samples, media, seed: (swapped(samples, seed), media),
    "shuffled": lambda samples, media, seed: (samples, Shuffled(media, seed)),
}
