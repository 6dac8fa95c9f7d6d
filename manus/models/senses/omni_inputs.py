"""Decodes media of prepared data and makes of them what an omni model takes in. Knows nothing of samples."""

# Shapes: I images, F frames, A sounds, P patches, N positions of the audio encoder, D size of an encoder's
# states.

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from manus.data.media.expansion import expanded
from manus.data.media.files import MediaFiles
from manus.data.sample import Medium, Message, Sample, Tokens, numbers_of
from manus.data.tokens.rendering import render, render_prompt
from manus.models.generation.inputs import tokenised
from manus.models.loaders import load_from
from manus.models.omni.processing import ManusOmniProcessor


@dataclass(frozen=True, slots=True)
class State:
    """What an encoder makes of a medium: an image [P, D], the frames of a video [F, P, D] or a sound [N, D].

    `tokens` is how many tokens a sound becomes, and None of the others, which the shape says.
    """

    kind: Literal["image", "video", "audio"]
    values: torch.Tensor
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class MediaInputs:
    """The media of one data folder, seen through the processor of one model.

    `files` is a `MediaFiles`, or anything with its methods that shows other media in their place.
    """

    files: Any
    processor: ManusOmniProcessor
    rows_at_once: ClassVar[int] = 32  # of prompts that are answered together

    @classmethod
    def of(cls, model: Path, data: Path) -> MediaInputs:
        """Open the media of prepared data for a model's folder."""
        return cls(
            MediaFiles(data), load_from(ManusOmniProcessor, model, f"{model}: its processor cannot be loaded")
        )

    @property
    def is_of_one_size(self) -> bool:
        """Whether all pictures have the same number of patches."""
        return self.processor.media_layout.most_patches is None

    def expanded(self, text: str, numbers: Sequence[int]) -> str:
        """Return a text whose placeholders, one a medium, are as many as the tokens that the media become."""
        return self.processor.media_layout.expanded(text, [self.files.facts(number) for number in numbers])

    def prompt(
        self, tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], media: Sequence[Medium]
    ) -> str:
        """Return the text before the assistant's next words, with a placeholder for each token of media."""
        return self.expanded(render_prompt(tokenizer, messages), [medium["number"] for medium in media])

    def batch(
        self, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], media: Sequence[Sequence[Medium]]
    ) -> dict[str, Any]:
        """Return the model's inputs for prompts with their media, padded on the left."""
        numbers = [medium["number"] for row in media for medium in row]
        return {**tokenised(tokenizer, prompts), **self.tensors(numbers)}

    def whole(self, tokenizer: PreTrainedTokenizerBase, sample: Sample) -> tuple[Tokens, dict[str, Any]]:
        """Return the tokens of a conversation with its answers, as in training, and the inputs for its media.

        Raises:
            RowError: it cannot be rendered.
        """
        tokens = render(tokenizer, expanded(sample, self.processor.media_layout))
        return tokens, self.tensors(numbers_of(sample))

    def tensors(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return the model's inputs for media, in their placeholders' order; its forward pass has the shapes.

        They are made by one thread, so that they are the same to the last bit in a process of many and in one
        of few.
        """
        by_kind: dict[str, list[int]] = {}
        for number in numbers:
            by_kind.setdefault(self.files.facts(number)["kind"], []).append(number)
        made: dict[str, Any] = {}
        with _one_thread():
            if pictures := by_kind.get("image"):
                made |= self.processor.image_inputs([self.files.image(number) for number in pictures])
            if films := by_kind.get("video"):
                made |= self.processor.video_inputs([self._frames(number) for number in films])
            if sounds := by_kind.get("audio"):
                made |= self.processor.audio_inputs([self.files.audio(number) for number in sounds])
        return made

    @torch.no_grad()
    def state(self, model: PreTrainedModel, number: int, given: Mapping[str, Any]) -> State:
        """Return what an omni model's encoder makes of one medium, given as `tensors` returns it alone."""
        kind = self.files.facts(number)["kind"]
        if kind == "image":
            return State("image", model.encode_images(given["pixel_values"])[0])
        if kind == "video":
            return State("video", model.encode_images(given["pixel_values_videos"]))
        tokens = int(given["audio_tokens"][0])
        heard_ND = model.encode_audio(given["input_features"])[0]
        return State("audio", heard_ND[: tokens * self.processor.media_layout.audio_stack], tokens)

    def _frames(self, number: int) -> Any:
        times = self.processor.media_layout.frame_times(self.files.facts(number)["seconds"])
        return self.files.frames(number, times)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def joined(states: Sequence[State]) -> dict[str, Any]:
    """Return states as a model's inputs, in the order of their placeholders."""
    of = {kind: [state for state in states if state.kind == kind] for kind in ("image", "video", "audio")}
    made: dict[str, Any] = {}
    if of["image"]:
        made["image_states"] = torch.stack([state.values for state in of["image"]])
    if of["video"]:
        made["video_states"] = torch.cat([state.values for state in of["video"]])
    if of["audio"]:
        made["audio_states"] = pad_sequence([state.values for state in of["audio"]], batch_first=True)
        made["audio_tokens"] = torch.tensor([state.tokens for state in of["audio"]])
    return made
