"""What a base's own processor makes of conversations: tokens to prepare data with, inputs for a chat.

The processor is asked for everything: how long a medium stands in the text, what else the model must be told
of it. What training makes again from stored media is compared with that once. Knows nothing of files of
samples or of weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from manus.data.media.ablation import MediaReader
from manus.data.sample import MediumKind, RowError, Sample, Tokens, media_of
from manus.data.tokens.answer_places import Span, Written, written
from manus.data.tokens.rendering import encode, render_prompt, tokens_of
from manus.errors import ModelError
from manus.models.native.asking import OF_TOKENS, Decoded, OwnProcessor
from manus.models.omni.layout import TOLERATED_SECONDS
from manus.models.omni.reading import read_frames, video_facts

OFFSETS = "text_replacement_offsets"


@dataclass(frozen=True)
class OwnLayout(OwnProcessor):
    """A processor as the preparation of data and a chat ask it."""

    proven: set[str] = field(default_factory=set)

    def expanded(self, text: str, facts: Sequence[Any]) -> str:
        """Return the text: how long media stand in it is only known of whole conversations."""
        return text

    def refuse_unmeant(self, text: str) -> None:
        """See to it that no text holds what stands for a medium of this model.

        Raises:
            RowError: one does.
        """
        if found := self.placeholder.search(text):
            raise RowError(f"{found[0]!r} stands in a text and would be taken for a medium")

    def rendered(self, sample: Sample, files: MediaReader) -> Tokens:
        """Tokenise a conversation with media.

        Those turns of the assistant are learned that it shows as the model is asked for them.

        Raises:
            RowError: the template or the processor refuses the conversation.
            ModelError: the processor cannot be worked with.
        """
        given = self._written(sample)
        return self._tokens(sample, given, given.learned, files)

    def renderings(self, sample: Sample, files: MediaReader) -> Iterator[Tokens]:
        """Tokenise a conversation with media so that all of the assistant's turns are learned, as in text.

        Raises:
            RowError, ModelError: as `rendered`.
        """
        given = self._written(sample)
        if given.learned or not given.apart:
            yield self._tokens(sample, given, given.learned, files)
        for place in given.apart:
            turns = place + 1
            beginning: Sample = {"messages": sample["messages"][:turns], "media": media_of(sample, turns)}
            alone = self._written(beginning)
            yield replace(self._tokens(beginning, alone, alone.last, files), turns=turns)

    def _written(self, sample: Sample) -> Written:
        return written(self.tokenizer, self.in_parts(sample["messages"], sample["media"]))

    def _tokens(self, sample: Sample, given: Written, learned: Sequence[Span], files: MediaReader) -> Tokens:
        media = self.decoded(sample["media"], files)
        if not media:  # of the first turns, before anything is shown
            return tokens_of(self.tokenizer, given.text, learned)
        whole = self.called([given.text], [media], return_text_replacement_offsets=True)
        grown, spans = self._grown(
            given.text, learned, whole.pop(OFFSETS, None), Counter(kind for kind, _ in media)
        )
        if whole["input_ids"][0].tolist() != encode(self.tokenizer, grown).ids:
            raise ModelError(f"{self.name} tokenises a conversation in another way than its tokenizer")
        self._prove(whole, media)
        return tokens_of(self.tokenizer, grown, spans)

    def check_heard(self, seconds: float) -> None:
        """See to it that a sound is not longer than what is heard at once.

        Raises:
            ValueError: it is.
        """
        if seconds > self.longest_audio_seconds + TOLERATED_SECONDS:
            raise ValueError(
                f"an audio clip of {seconds:.1f} s; {self.longest_audio_seconds:g} s can be heard: cut it"
            )

    def asked(self, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the model's inputs for one conversation with media: pictures, files of videos, float32 [S].

        Raises:
            ValueError: the template or the processor refuses it.
        """
        media: list[Decoded] = []

        def places(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
            if part["type"] == "video":
                seconds = video_facts(part["video"])["seconds"]
                frames = read_frames(part["video"], self.frame_times(seconds))
                media.extend(("image", Image.fromarray(frame)) for frame in frames)
                yield from self.places({"kind": "video", "seconds": seconds})
            elif part["type"] != "text":
                media.append((part["type"], part[part["type"]]))
                yield {"type": part["type"]}
            else:
                self.refuse_unmeant(part["text"])
                yield dict(part)

        turns = [
            {**turn, "content": [place for part in turn["content"] for place in places(part)]}
            if isinstance(turn["content"], list)
            else dict(turn)
            for turn in messages
        ]
        (ids,), given = self.rows([render_prompt(self.tokenizer, turns)], [media])
        ids_BT = torch.tensor([ids])
        return {"input_ids": ids_BT, "attention_mask": torch.ones_like(ids_BT), **self.marks(ids_BT), **given}

    def _grown(
        self, text: str, spans: Sequence[Span], offsets: Any, wanted: Mapping[MediumKind, int]
    ) -> tuple[str, list[tuple[int, int]]]:
        """Return the text with media at their full length, and the spans in it."""
        if offsets is None:
            raise ModelError(
                f"{self.name} does not say where media stand in the text; this family cannot be trained"
            )
        found = Counter(offset["type"] for offset in offsets[0])
        if found != wanted:
            raise RowError(
                f"the chat template wrote places for {dict(found)} media, and there are {dict(wanted)}"
            )
        pieces, begin = [], 0
        for offset in offsets[0]:
            pieces += [text[begin : offset["span"][0]], offset["replacement"]]
            begin = offset["span"][1]
        ends = [(offset["span"][1], offset["new_span"][1] - offset["span"][1]) for offset in offsets[0]]

        def moved(place: int) -> int:
            return place + next((by for end, by in reversed(ends) if end <= place), 0)

        return "".join([*pieces, text[begin:]]), [(moved(a), moved(b)) for a, b in spans]

    def _prove(self, whole: dict[str, Any], media: Sequence[Decoded]) -> None:
        """Compare, once for each set of kinds, what training makes of stored media with the processor's own.

        Raises:
            ModelError: they differ.
        """
        kinds = ",".join(sorted({kind for kind, _ in media}))
        if kinds in self.proven:
            return
        own = {name: value for name, value in whole.items() if name not in ("input_ids", "attention_mask")}
        again = {**self.media([media]), **self.marks(whole["input_ids"])}
        own = {
            name: value
            for name, value in own.items()
            if name in again or name not in OF_TOKENS or value.any()
        }
        for name in sorted(own.keys() | again.keys()):
            if not _equal(own.get(name), again.get(name)):
                raise ModelError(
                    f"{self.name}: {name} depends on the text around a medium and cannot be made again "
                    "while training; this family cannot be trained"
                )
        self.proven.add(kinds)


def _equal(one: Any, other: Any) -> bool:
    if not (torch.is_tensor(one) and torch.is_tensor(other)):
        return False
    return one.shape == other.shape and bool(
        np.array_equal(one.numpy(), other.numpy(), equal_nan=one.is_floating_point())
    )
