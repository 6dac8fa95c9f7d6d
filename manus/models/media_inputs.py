"""Decodes media of prepared data and makes of them what an omni model takes in. Knows nothing of samples.

Shapes: I images, F frames of all videos, C clips of sound, P pixels of a side, M mel bands, N mel frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from manus.data.media.store import MediaFiles
from manus.models.omni.processing import ManusOmniProcessor

if TYPE_CHECKING:
    from manus.data.media.ablation import Ablated


@dataclass(frozen=True, slots=True)
class MediaInputs:
    """The media of one data folder, seen through the processor of one model."""

    files: MediaFiles | Ablated
    processor: ManusOmniProcessor

    @classmethod
    def of(cls, model: Path, data: Path) -> MediaInputs:
        """Open the media of prepared data for a model's folder."""
        return cls(MediaFiles(data), ManusOmniProcessor.from_pretrained(model, local_files_only=True))

    def expanded(self, text: str, numbers: Sequence[int]) -> str:
        """Return a text whose placeholders, one a medium, are as many as the tokens that the media become."""
        expanded: str = self.processor.layout.expanded(text, [self.files.facts(number) for number in numbers])
        return expanded

    def tensors(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return the inputs of media in the order of their placeholders.

        Returns:
            `pixel_values` [I, 3, P, P], `pixel_values_videos` [F, 3, P, P], `input_features` [C, M, N] with
            `audio_tokens` [C]; those of kinds that there are.
        """
        images, frames, clips, tokens = [], [], [], []
        for number in numbers:
            facts, layout = self.files.facts(number), self.processor.layout
            if facts["kind"] == "image":
                images.append(self.processor.pixels(self.files.image(number)))
            elif facts["kind"] == "video":
                times = layout.frame_times(facts["seconds"])
                frames.append(self.processor.frame_pixels(self.files.frames(number, times)))
            else:
                clips.append(self.processor.features(self.files.audio(number)))
                tokens.append(layout.audio_tokens(facts["seconds"]))
        made: dict[str, Any] = {}
        if images:
            made["pixel_values"] = torch.stack(images)
        if frames:
            made["pixel_values_videos"] = torch.cat(frames)
        if clips:
            made |= {"input_features": torch.stack(clips), "audio_tokens": torch.tensor(tokens)}
        return made
