"""The media of one data folder through a base's own processor, as its model takes them. Knows no layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from manus.data.media.files import MediaFiles
from manus.data.sample import Medium, Message, Sample, Tokens, numbers_of
from manus.data.tokens.rendering import render_prompt
from manus.models.generation.inputs import left_padded
from manus.models.native.layout import OwnLayout


@dataclass(frozen=True, slots=True)
class OwnInputs:
    """Media by their numbers, and the processor of the model that sees or hears them.

    `files` is a `MediaFiles`, or anything with its methods that shows other media in their place.
    """

    files: Any
    layout: OwnLayout
    rows_at_once: ClassVar[int] = 8  # of prompts that are answered together: a picture may be many tiles

    @classmethod
    def of(cls, model: Path, data: Path) -> OwnInputs:
        """Open the media of prepared data for a model's folder."""
        return cls(MediaFiles(data), OwnLayout.of(model))

    def prompt(self, tokenizer: Any, messages: Sequence[Message], media: Sequence[Medium]) -> str:
        """Return the text that stands before the assistant's next words, with one placeholder a medium."""
        return render_prompt(self.layout.tokenizer, self.layout.in_parts(messages, media))

    def batch(
        self, tokenizer: Any, prompts: Sequence[str], media: Sequence[Sequence[Medium]]
    ) -> dict[str, Any]:
        """Return the model's inputs for prompts with their media, padded on the left."""
        rows, given = self.layout.rows(prompts, [self.layout.decoded(row, self.files) for row in media])
        padded = left_padded(rows, self.layout.tokenizer.pad_token_id, "cpu")
        return {**padded, **self.layout.marks(padded["input_ids"]), **given}

    def whole(self, tokenizer: Any, sample: Sample) -> tuple[Tokens, dict[str, Any]]:
        """Return the tokens of a conversation with its answers, as in training, and the inputs for its media.

        Raises:
            RowError: it cannot be rendered.
        """
        tokens = self.layout.rendered(sample, self.files)
        return tokens, self.tensors([numbers_of(sample)], torch.tensor([tokens.ids]))

    def tensors(self, rows: Sequence[Sequence[int]], ids_BT: torch.Tensor) -> dict[str, Any]:
        """Return what the model takes in beside tokens: each row's media, and what tokens stand for."""
        decoded = [self.layout.decoded([self.medium(number) for number in row], self.files) for row in rows]
        return {**self.layout.marks(ids_BT), **self.layout.media(decoded)}

    def medium(self, number: int) -> Medium:
        """Return what is known of a medium, as samples hold it."""
        medium: Medium = self.files.facts(number)
        return {**medium, "number": number}
