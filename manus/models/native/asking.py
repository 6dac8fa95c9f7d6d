"""Asks a base's own processor: what it takes in, the tokens of text with media, the model's inputs for media.

A video is its frames, as pictures between which their times stand: so every model that sees follows it. Knows
nothing of data and weights.
"""

# Shapes: B rows, T tokens of the longest row, S samples of sound.

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from transformers import PreTrainedTokenizerBase

from manus.data.media.ablation import MediaReader
from manus.data.sample import PLACEHOLDER, PLACEHOLDERS, Medium, MediumKind, Message, RowError
from manus.data.tokens.rendering import encode
from manus.errors import ModelError, blamed_on
from manus.models.native.processor import fitted_tokenizer, load_processor
from manus.models.omni.layout import SAMPLES_PER_SECOND, MediaLayout

KINDS: dict[MediumKind, str] = {"image": "image_processor", "audio": "feature_extractor"}
# What a processor says of each token of the text; anything else it says of the media.
OF_TOKENS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
FRAMES = MediaLayout(frames_per_second=2.0, most_frames=8)  # each costs as many tokens as a picture
TRIED_TEXT = "a"
Decoded = tuple[MediumKind, Any]  # a picture, or float32 [S]


@dataclass(frozen=True)
class OwnProcessor:
    """The processor of a model, with its tokenizer, whose template takes plain texts too."""

    folder: Path
    processor: Any
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Load the processor of a model's folder.

        Raises:
            ModelError: it has none, or one that this cannot work with.
        """
        processor = load_processor(folder)
        with blamed_on(f"{folder}: the tokenizer or its chat template cannot be used", ModelError):
            return cls(folder, processor, fitted_tokenizer(processor, folder))

    @property
    def name(self) -> str:
        """Where the processor is and what it is, for people."""
        return f"{self.folder}: {type(self.processor).__name__}"

    @cached_property
    def own_placeholders(self) -> dict[MediumKind, str]:
        """What stands for a medium in the text that a chat template writes, by kinds that can be prepared."""
        parts = {kind: getattr(self.processor, part, None) for kind, part in KINDS.items()}
        rate = getattr(parts["audio"], "sampling_rate", SAMPLES_PER_SECOND)
        marks = {kind: getattr(self.processor, f"{kind}_token", None) for kind in KINDS}
        return {
            kind: str(mark)
            for kind, mark in marks.items()
            if mark and parts[kind] is not None and (kind != "audio" or rate == SAMPLES_PER_SECOND)
        }

    @property
    def senses(self) -> Collection[MediumKind]:
        """The kinds of media that are taken in; a video is its frames, as pictures with their times."""
        own = set(self.own_placeholders)
        return own | {"video"} if "image" in own else own

    @property
    def longest_audio_seconds(self) -> float:
        """The longest sound that the model hears at once."""
        return float(getattr(self.processor.feature_extractor, "chunk_length", 30.0))

    def frame_times(self, seconds: float) -> list[float]:
        """Return the times (seconds) of the frames looked at: the middles of parts of equal length."""
        return FRAMES.frame_times(seconds)

    def in_parts(self, messages: Sequence[Message], media: Sequence[Medium]) -> list[dict[str, Any]]:
        """Return messages whose contents are texts, or parts where they hold media."""
        waiting = iter(media)

        def parts(content: str) -> Iterator[dict[str, Any]]:
            for place, piece in enumerate(PLACEHOLDER.split(content)):
                if place:
                    yield from self.places(next(waiting))
                if text := piece.strip("\n"):
                    yield {"type": "text", "text": text}

        return [
            {**message, "content": [*parts(message["content"])]}
            if PLACEHOLDER.search(message["content"])
            else {**message}
            for message in messages
        ]

    def places(self, medium: Medium) -> Iterator[dict[str, Any]]:
        """Yield the parts of a content that a medium is: for a video, each frame's time and a picture."""
        if medium["kind"] != "video":
            yield {"type": medium["kind"]}
            return
        for time in self.frame_times(medium["seconds"]):
            yield {"type": "text", "text": f"<{time:.1f} seconds>"}
            yield {"type": "image"}

    def decoded(self, media: Sequence[Medium], files: MediaReader) -> list[Decoded]:
        """Return media as the processor takes them, in the order of their places."""
        found: list[Decoded] = []
        for medium in media:
            number = medium["number"]
            if medium["kind"] == "video":
                frames = files.frames(number, self.frame_times(medium["seconds"]))
                found += [("image", Image.fromarray(frame)) for frame in frames]
            elif medium["kind"] == "image":
                found.append(("image", files.image(number)))
            else:
                found.append(("audio", files.audio(number)))
        return found

    def rows(
        self, texts: Sequence[str], media: Sequence[Sequence[Decoded]]
    ) -> tuple[list[list[int]], dict[str, Any]]:
        """Return the tokens of rows of text with media, and the model's inputs for all their media."""
        held = [index for index, row in enumerate(media) if row]
        ids = {
            index: encode(self.tokenizer, texts[index]).ids
            for index in range(len(texts))
            if index not in held
        }
        if not held:
            return [ids[index] for index in range(len(texts))], {}
        made = self.called([texts[index] for index in held], [media[index] for index in held])
        for index, row, mask in zip(held, made["input_ids"], made["attention_mask"], strict=True):
            ids[index] = row[mask.bool()].tolist()
        return [ids[index] for index in range(len(texts))], of_media(made)

    def media(self, media: Sequence[Sequence[Decoded]]) -> dict[str, Any]:
        """Return the model's inputs for the media of rows, whatever text stands around them."""
        held = [row for row in media if row]
        if not held:
            return {}
        texts = ["".join(self.own_placeholders[kind] for kind, _ in row) for row in held]
        return of_media(self.called(texts, held))

    def marks(self, ids_BT: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what else the model is told of each token: the kind of medium it stands for.

        Empty where the processor says nothing of it.
        """
        if self._mark is None:
            return {}
        rows = self.processor.create_mm_token_type_ids(ids_BT.tolist())
        return {self._mark: torch.tensor(rows)}

    @cached_property
    def _mark(self) -> str | None:
        if not getattr(self.processor, "return_mm_token_type_ids", False):
            return None
        names = set(self.processor(text=[TRIED_TEXT]))
        return next((name for name in ("mm_token_type_ids", "token_type_ids") if name in names), None)

    @cached_property
    def placeholder(self) -> re.Pattern[str]:
        """Finds in a text what stands for a medium of this model."""
        named = [
            getattr(one, f"{kind}_token", None)
            for one in (self.processor, self.tokenizer)
            for kind in PLACEHOLDERS
        ]
        tokens = {str(token) for token in named if token}
        return re.compile("|".join(re.escape(token) for token in sorted(tokens)))

    def called(self, texts: Sequence[str], media: Sequence[Sequence[Decoded]], **more: Any) -> dict[str, Any]:
        """Call the processor on rows that all have media.

        Raises:
            RowError: it refuses them.
        """
        pictures = [[value for kind, value in row if kind == "image"] for row in media]
        sounds = [value for row in media for kind, value in row if kind == "audio"]
        given: dict[str, Any] = {"images": pictures} if any(pictures) else {}
        given |= {"audio": sounds, "sampling_rate": SAMPLES_PER_SECOND} if sounds else {}
        try:
            made = self.processor(
                text=list(texts), **given, **more, padding=True, add_special_tokens=False, return_tensors="pt"
            )
        except (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError) as error:
            raise RowError(
                f"{type(self.processor).__name__} refuses it: {str(error).splitlines()[0]}"
            ) from error
        return dict(made)


def of_media(made: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in made.items() if name not in OF_TOKENS}
