"""What a base's own processor makes of text and media: tokens for the preparation of data, tensors for the model.

The processor is asked for everything: how long a medium stands in the text, what else the model must be told of it. What
training makes again from stored media is compared with that once. Knows nothing of files of samples or of weights.
"""

# Shapes: B rows, T tokens of the longest row.

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import PreTrainedTokenizerBase

from manus.data.media.ablation import MediaReader
from manus.data.rendering import Tokens, encode, marked, written
from manus.data.sample import PLACEHOLDER, Medium, MediumKind, Message, RowError, Sample
from manus.errors import ModelError
from manus.models.native.processor import fitted_tokenizer, load_processor
from manus.models.omni.layout import SAMPLES_PER_SECOND, MediaLayout

KINDS: dict[MediumKind, str] = {"image": "image_processor", "audio": "feature_extractor"}
# What a processor says of each token of the text; anything else it says of the media.
OF_TOKENS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
FRAMES = MediaLayout(frames_per_second=2.0, most_frames=8)  # each costs as many tokens as a picture
OFFSETS = "text_replacement_offsets"
Decoded = tuple[MediumKind, Any]  # a picture, or float32 [S]


@dataclass(frozen=True)
class OwnLayout:
    """A processor, as the preparation of data, training and generation ask it."""

    folder: Path
    processor: Any
    tokenizer: PreTrainedTokenizerBase
    proven: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, folder: Path) -> OwnLayout:
        """Load the processor of a model's folder.

        Raises:
            ModelError: it has none, or one that this cannot work with.
        """
        processor = load_processor(folder)
        layout = cls(folder, processor, fitted_tokenizer(processor, folder))
        layout._check()
        return layout

    def _check(self) -> None:
        if not self.senses:
            raise ModelError(f"{self._name} has no placeholder for a picture or a sound; no base to train senses on")
        rate = getattr(getattr(self.processor, KINDS["audio"], None), "sampling_rate", SAMPLES_PER_SECOND)
        if rate != SAMPLES_PER_SECOND:
            raise ModelError(f"{self._name} hears {rate} samples a second; sound is kept at {SAMPLES_PER_SECOND}")

    @property
    def _name(self) -> str:
        return f"{self.folder}: {type(self.processor).__name__}"

    # What the preparation of data asks

    @cached_property
    def own_placeholders(self) -> dict[MediumKind, str]:
        """What stands for a medium in the text that the chat template writes."""
        marks = {kind: getattr(self.processor, f"{kind}_token", None) for kind in KINDS}
        has = {kind: getattr(self.processor, part, None) is not None for kind, part in KINDS.items()}
        return {kind: str(mark) for kind, mark in marks.items() if mark and has[kind]}

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
        """Return the times (seconds) of the frames that are looked at: the middles of parts of equal length."""
        return FRAMES.frame_times(seconds)

    def expanded(self, text: str, facts: Sequence[Any]) -> str:
        """Return the text: how long media stand in it is only known of whole conversations."""
        return text

    def refuse_unmeant(self, text: str) -> None:
        """See to it that no text holds what stands for a medium of this model.

        Raises:
            RowError: one does.
        """
        if found := self._marks.search(text):
            raise RowError(f"{found[0]!r} stands in a text and would be taken for a medium")

    def rendered(self, sample: Sample, files: MediaReader) -> Tokens:
        """Tokenise a conversation with media; the assistant's turns are learned.

        Raises:
            RowError: the template or the processor refuses the conversation.
            ModelError: the processor cannot be worked with.
        """
        text, spans = written(self.tokenizer, self.in_parts(sample["messages"], sample.get("media", [])))
        media = self.decoded(sample.get("media", []), files)
        if not media:
            return marked(encode(self.tokenizer, text), spans, len(text))
        whole = self._called([text], [media], return_text_replacement_offsets=True)
        grown, spans = self._grown(text, spans, whole.pop(OFFSETS, None), Counter(kind for kind, _ in media))
        encoding = encode(self.tokenizer, grown)
        if whole["input_ids"][0].tolist() != encoding.ids:
            raise ModelError(f"{self._name} tokenises a conversation in another way than its tokenizer")
        self._prove(whole, media)
        return marked(encoding, spans, len(grown))

    # What training and generation ask

    def in_parts(self, messages: Sequence[Message], media: Sequence[Medium]) -> list[dict[str, Any]]:
        """Return messages whose contents are texts, or parts where they hold media."""
        waiting = iter(media)

        def parts(content: str) -> Iterator[dict[str, Any]]:
            for place, piece in enumerate(PLACEHOLDER.split(content)):
                if place:
                    yield from self._places(next(waiting))
                if text := piece.strip("\n"):
                    yield {"type": "text", "text": text}

        return [
            {**message, "content": [*parts(message["content"])]}
            if PLACEHOLDER.search(message["content"])
            else {**message}
            for message in messages
        ]

    def _places(self, medium: Medium) -> Iterator[dict[str, Any]]:
        """Yield the parts of a content that a medium is: for a video, the time of each frame and a picture."""
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

    def rows(self, texts: Sequence[str], media: Sequence[Sequence[Decoded]]) -> tuple[list[list[int]], dict[str, Any]]:
        """Return the tokens of rows of text with media, and the model's inputs for the media of all of them."""
        held = [index for index, row in enumerate(media) if row]
        ids = {index: encode(self.tokenizer, texts[index]).ids for index in range(len(texts)) if index not in held}
        if not held:
            return [ids[index] for index in range(len(texts))], {}
        made = self._called([texts[index] for index in held], [media[index] for index in held])
        for index, row, mask in zip(held, made["input_ids"], made["attention_mask"], strict=True):
            ids[index] = row[mask.bool()].tolist()
        return [ids[index] for index in range(len(texts))], _of_media(made)

    def media(self, media: Sequence[Sequence[Decoded]]) -> dict[str, Any]:
        """Return the model's inputs for the media of rows, whatever text stands around them."""
        held = [row for row in media if row]
        if not held:
            return {}
        texts = ["".join(self.own_placeholders[kind] for kind, _ in row) for row in held]
        return _of_media(self._called(texts, held))

    def marks(self, ids_BT: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what else the model is told of each token, where its processor does so: the kind of medium it stands for."""
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
    def _marks(self) -> re.Pattern[str]:
        tokens = {*self.own_placeholders.values(), *(getattr(self.tokenizer, f"{kind}_token", None) for kind in KINDS)}
        return re.compile("|".join(re.escape(token) for token in sorted(filter(None, tokens))))

    def _called(self, texts: Sequence[str], media: Sequence[Sequence[Decoded]], **more: Any) -> dict[str, Any]:
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
            raise RowError(f"{type(self.processor).__name__} refuses it: {str(error).splitlines()[0]}") from error
        return dict(made)

    def _grown(
        self, text: str, spans: Sequence[tuple[int, int]], offsets: Any, wanted: Mapping[MediumKind, int]
    ) -> tuple[str, list[tuple[int, int]]]:
        """Return the text with media at their full length, and the spans in it."""
        if offsets is None:
            raise ModelError(f"{self._name} does not say where media stand in the text; this family cannot be trained")
        found = Counter(offset["type"] for offset in offsets[0])
        if found != wanted:
            raise RowError(f"the chat template wrote places for {dict(found)} media, and there are {dict(wanted)}")
        pieces, begin = [], 0
        for offset in offsets[0]:
            pieces += [text[begin : offset["span"][0]], offset["replacement"]]
            begin = offset["span"][1]
        ends = [(offset["span"][1], offset["new_span"][1] - offset["span"][1]) for offset in offsets[0]]

        def moved(place: int) -> int:
            return place + next((by for end, by in reversed(ends) if end <= place), 0)

        return "".join([*pieces, text[begin:]]), [(moved(a), moved(b)) for a, b in spans]

    def _prove(self, whole: dict[str, Any], media: Sequence[Decoded]) -> None:
        """Compare, once for each set of kinds, what training makes from stored media with the processor's own inputs.

        Raises:
            ModelError: they differ.
        """
        kinds = ",".join(sorted({kind for kind, _ in media}))
        if kinds in self.proven:
            return
        own = {name: value for name, value in whole.items() if name not in ("input_ids", "attention_mask")}
        again = {**self.media([media]), **self.marks(whole["input_ids"])}
        own = {name: value for name, value in own.items() if name in again or name not in OF_TOKENS or value.any()}
        for name in sorted(own.keys() | again.keys()):
            if not _equal(own.get(name), again.get(name)):
                raise ModelError(
                    f"{self._name}: {name} depends on the text around a medium and cannot be made again while training; "
                    "this family cannot be trained"
                )
        self.proven.add(kinds)


TRIED_TEXT = "a"


def _of_media(made: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in made.items() if name not in OF_TOKENS}


def _equal(one: Any, other: Any) -> bool:
    if not (torch.is_tensor(one) and torch.is_tensor(other)):
        return False
    return one.shape == other.shape and bool(
        np.array_equal(one.numpy(), other.numpy(), equal_nan=one.is_floating_point())
    )
